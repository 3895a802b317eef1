"""The time that counts: the database's."""

from datetime import datetime

from django.db import connection


def now() -> datetime:
    """Return the database's time, for what other processes will compare.

    A process whose own clock is wrong would otherwise give up the uploads of others, or keep
    its own for ever.
    """
    with connection.cursor() as cursor:
        cursor.execute("select statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
