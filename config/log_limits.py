"""Keep an outage from filling the disk: about one line a second tells of it."""

import logging
import threading
import time

from documents.outages import is_service_away

EVERY_SECONDS = 1.0
# What libraries log again and again while the other side is away.
NOISY = ("psycopg.pool", "dramatiq.worker.ConsumerThread", "channels_redis")
EVENTS = frozenset(
    f"{what}_{fate}"
    for what, fate in (
        *(("dependency", "away"), ("database", "away"), ("redis", "away")),
        *(("readyz", "database"), ("readyz", "redis")),
        *(("heartbeat", "missed"), ("turn", "broken_off"), ("hand_back", "lost")),
        *(("ring", "lost"), ("bell", "not_cleared"), ("relay", "lost"), ("socket", "put_off")),
    )
)


class OutageFilter(logging.Filter):
    """Let through one record a second of those that only say that something is away."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write the record."""
        if not tells_of_outage(record):
            return True
        now = time.monotonic()
        with self._lock:
            if now < self._next:
                return False
            self._next = now + EVERY_SECONDS
        return True


def tells_of_outage(record: logging.LogRecord) -> bool:
    """Return whether a thousand records like this one say no more than the first."""
    if isinstance(record.msg, dict):
        return record.msg.get("event") in EVENTS
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and is_service_away(error):
        return True
    if getattr(record, "status_code", None) == 503:
        return True
    return record.name.startswith(NOISY)
