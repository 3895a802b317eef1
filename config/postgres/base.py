"""Django's PostgreSQL backend, with a pool that gets over a restart of the server at once.

The pool's own check waits a second and more for each connection it finds broken, and a
restart breaks all of them: threads would answer 503 long after the server is back.
"""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Hand out pooled connections that work; forget all of them when one does not."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect, or take a connection from the pool that has just been tried."""
        connection = super().get_new_connection(conn_params)
        if not self.pool or _works(connection):
            return connection
        self.pool.drain()
        self.pool.putconn(connection)
        # Every one made before is gone now, so this one is new.
        return super().get_new_connection(conn_params)


def _works(connection: Any) -> bool:
    try:
        ConnectionPool.check_connection(connection)
    except OperationalError:
        return False
    return True
