"""This process's presence: its heartbeat, and the leases it holds.

One thread with a connection of its own looks once a second whether the leases
are still ours, and extends them every HEARTBEAT_SECONDS. A lease that is gone
(cancelled, reaped, taken) ends the child that works for it. The thread lives as
long as the process, whatever goes wrong: without it all leases would run out.
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
from documents.outages import is_database_away
from processing import leases, orphans
from processing.models import Worker
from processing.stage import Held, ShutdownError

log = structlog.get_logger(__name__)
LOOK_SECONDS = 1.0
REPORT_SECONDS = 5.0
# Threads hand back what they hold; a thread that is deaf for so long is not waited for.
HAND_BACK_SECONDS = 2.5


class Presence:
    """What a process holds and tells of itself; one per process."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self.stopping = False
        self.finished = 0
        self._stopped_at: float | None = None
        self._is_draining = False
        self._queues: list[str] = []
        self._is_in_doubt = False
        self._orphans: frozenset[uuid.UUID] = frozenset()
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
                self.finished += len(work)

    @property
    def takes_work(self) -> bool:
        """Whether this process may claim more."""
        return not (self.stopping or self._is_draining)

    @property
    def is_busy(self) -> bool:
        """Whether something is held."""
        return bool(self._snapshot())

    def doubt(self) -> None:
        """Note that rows may say more than this process knows: its connection broke."""
        self._is_in_doubt = True

    def drain(self) -> None:
        """Take no more work; what is in hand goes on to its end."""
        self._is_draining = True

    def start(self, queues: Iterable[str]) -> None:
        """Start the heartbeat, which first announces the process, as soon as that is possible."""
        self._queues = sorted(queues)
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more work, and end the children: their work is handed back."""
        self._stopped_at = time.monotonic()
        self.stopping = True
        self._lose_all()

    def leave(self) -> None:
        """End the heartbeat and say goodbye, once nothing is held any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=LOOK_SECONDS * 3)
        try:
            self._hand_back_all()
            Worker.objects.filter(id=self.id).update(stopped_at=Now(), current=[])
        except DatabaseError as error:
            log.warning("goodbye_not_said", error=str(error))

    def _lose_all(self) -> None:
        for held in self._snapshot():
            held.lose(ShutdownError("The worker is shutting down."))

    def _snapshot(self) -> list[Held]:
        with self._lock:
            return list(self._held.values())

    def _run(self) -> None:
        while not self._announce():
            if self._stop.wait(LOOK_SECONDS):
                return
        beaten = reported = 0.0
        while not self._stop.wait(LOOK_SECONDS):
            now = time.monotonic()
            try:
                self._drop_lost()
                if now - beaten >= settings.HEARTBEAT_SECONDS:
                    leases.beat([held.lease for held in self._snapshot()])
                    beaten = now
                if self._stopped_at and now - self._stopped_at >= HAND_BACK_SECONDS:
                    self._hand_back_all()
                elif self._is_in_doubt:
                    self._hand_back_orphans()
                if now - reported >= REPORT_SECONDS:
                    report(self.id, current=self._current())
                    reported = now
            except Exception as error:
                if not is_database_away(error):
                    log.exception("heartbeat_broke")
                beaten = 0.0
                self._look_anew(error)
        connection.close()

    def _announce(self) -> bool:
        try:
            announce(self.id, Worker.Kind.WORKER, queues=self._queues)
        except Exception as error:
            if not is_database_away(error):
                log.exception("announcement_broke")
            self._look_anew(error)
            return False
        return True

    def _look_anew(self, error: Exception) -> None:
        """Go on with a new connection; leases last a while without a beat."""
        log.warning("heartbeat_missed", error=str(error))
        self.doubt()
        connection.close()

    def _hand_back_all(self) -> None:
        """Give back what a thread is not done with; should it be done after all, it is fenced."""
        for run in orphans.find(self.id, held=()):
            orphans.hand_back(run)

    def _hand_back_orphans(self) -> None:
        self._is_in_doubt = False
        found = orphans.find(self.id, held={held.lease.token for held in self._snapshot()})
        # Twice in a row: between a claim and its holding there is a moment.
        for run in found:
            if run.lease_token in self._orphans:
                orphans.hand_back(run)
        self._orphans = frozenset(run.lease_token for run in found if run.lease_token)
        if found:
            self.doubt()

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
    """Write the row of a process that starts; once, even if an earlier answer was lost."""
    row = Worker(
        id=process_id,
        kind=kind,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=settings.VERSION,
        queues=queues,
        rss_bytes=rss_bytes(),
        started_at=Now(),
        seen_at=Now(),
    )
    Worker.objects.bulk_create([row], ignore_conflicts=True)


def report(process_id: uuid.UUID, **fields: Any) -> None:
    """Say that this process is alive; database time, like everything that is compared."""
    Worker.objects.filter(id=process_id).update(seen_at=Now(), rss_bytes=rss_bytes(), **fields)


def rss_bytes() -> int:
    """Return the memory this process holds."""
    return int(psutil.Process().memory_info().rss)


presence = Presence()
