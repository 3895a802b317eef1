"""Tell a service that is away from one that refuses what it was asked."""

import redis
from django.db import InterfaceError, InternalError, OperationalError

# https://www.postgresql.org/docs/18/errcodes-appendix.html: connection lost; out of disk,
# memory or connections; shut down, crashed or starting up; trouble of its system; read-only,
# as a replica is that was asked too soon; thrown out for standing still (STALLED_SECONDS).
AWAY = ("08", "53", "57P", "58", "25006", "25P03")


def is_database_away(error: BaseException) -> bool:
    """Return whether the same statement may do later, through no change of its own."""
    if not isinstance(error, (OperationalError, InterfaceError, InternalError)):
        return False
    code = getattr(error.__cause__, "sqlstate", None)
    if code is None:
        # A connection that could not be made, timed out or is found closed has no code.
        return not isinstance(error, InternalError)
    return str(code).startswith(AWAY)


def is_service_away(error: BaseException) -> bool:
    """Return whether the same request may do later, because the database or Redis is away.

    A deadlock or a statement that was cancelled counts too. So does whatever Redis
    refuses, such as writes while it is full: nothing that is answered depends on it.
    """
    away = (OperationalError, InterfaceError, redis.RedisError)
    return isinstance(error, away) or is_database_away(error)
