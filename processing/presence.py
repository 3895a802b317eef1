"""This process's presence: its heartbeat, and the leases it holds.

One thread with a connection of its own looks once a second whether the leases
are still ours, and extends them every HEARTBEAT_SECONDS. A lease that is gone
(cancelled, reaped, taken) ends the child that works for it.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models.functions import Now

from documents.errors import LeaseLostError
from processing import leases
from processing.models import Worker
from processing.stage import Held, ShutdownError

log = structlog.get_logger(__name__)
LOOK_SECONDS = 1.0
REPORT_SECONDS = 5.0


class Presence:
    """What a process holds and tells of itself; one per process."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self.stopping = False
        self._held: dict[uuid.UUID, Held] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def holding(self, work: Sequence[Held]) -> Iterator[None]:
        """Keep these leases alive while the body runs."""
        with self._lock:
            self._held |= {held.lease.token: held for held in work}
        if self.stopping:
            self._lose_all()
        try:
            yield
        finally:
            with self._lock:
                for held in work:
                    self._held.pop(held.lease.token, None)

    def start(self, queues: Iterable[str]) -> None:
        """Announce the process and start its heartbeat."""
        announce(self.id, Worker.Kind.WORKER, queues=sorted(queues))
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more work, and end the children: their work is handed back."""
        self.stopping = True
        self._lose_all()

    def leave(self) -> None:
        """End the heartbeat and say goodbye, once nothing is held any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=LOOK_SECONDS * 3)
        Worker.objects.filter(id=self.id).update(stopped_at=Now(), current=[])

    def _lose_all(self) -> None:
        for held in self._snapshot():
            held.lose(ShutdownError("The worker is shutting down."))

    def _snapshot(self) -> list[Held]:
        with self._lock:
            return list(self._held.values())

    def _run(self) -> None:
        beaten = reported = 0.0
        while not self._stop.wait(LOOK_SECONDS):
            now = time.monotonic()
            try:
                self._drop_lost()
                if now - beaten >= settings.HEARTBEAT_SECONDS:
                    leases.beat([held.lease for held in self._snapshot()])
                    beaten = now
                if now - reported >= REPORT_SECONDS:
                    report(self.id, current=self._current())
                    reported = now
            except DatabaseError as error:
                # Away: leases run out by themselves. Look again with a new connection.
                log.warning("heartbeat_missed", error=str(error))
                connection.close()
        connection.close()

    def _drop_lost(self) -> None:
        work = self._snapshot()
        if not work:
            return
        held_tokens = leases.still_held([held.lease for held in work])
        for held in work:
            if held.lease.token not in held_tokens:
                held.lose(LeaseLostError("The work was cancelled or taken."))

    def _current(self) -> list[dict[str, Any]]:
        return [
            {"stage": held.lease.stage.value, "document": str(held.lease.document_id)}
            for held in self._snapshot()
        ]


def announce(process_id: uuid.UUID, kind: str, *, queues: list[str]) -> None:
    """Write the row of a process that starts."""
    Worker.objects.create(
        id=process_id,
        kind=kind,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=settings.VERSION,
        queues=queues,
        rss_bytes=_rss_bytes(),
        started_at=Now(),
        seen_at=Now(),
    )


def report(process_id: uuid.UUID, **fields: Any) -> None:
    """Say that this process is alive; database time, like everything that is compared."""
    Worker.objects.filter(id=process_id).update(seen_at=Now(), rss_bytes=_rss_bytes(), **fields)


def _rss_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


presence = Presence()
