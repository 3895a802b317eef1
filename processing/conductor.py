"""The conductor: one leader that keeps things moving, any number standing by.

It numbers and relays events, rings for work that is due, reaps leases that ran
out and sweeps uploads whose tab was closed. It holds no state that matters: a
new leader goes on from what Postgres says.
"""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models.functions import Now

from documents.errors import SluiceError
from documents.services import arrivals
from documents.storage import get_storage
from processing import jobs, leases, presence, tasks
from processing.models import StageRun, Worker
from processing.numbering import number_events
from processing.publisher import Publisher

log = structlog.get_logger(__name__)

# Second key of the advisory lock; stages use the small numbers.
LEADER_LOCK = 1_000
TICK_SECONDS = 0.2
STANDBY_SECONDS = 1.0
# A database that was away kept the workers from beating: do not punish them for it.
GRACE_SECONDS = 60.0


@dataclass(slots=True)
class Duty:
    """Something the leader does every so often."""

    name: str
    every_seconds: float
    run: Callable[[], object]
    due_at: float = field(default=0.0)

    def run_if_due(self, now: float) -> None:
        """Run and schedule again; storage and the like may fail, the next turn tries again."""
        if now < self.due_at:
            return
        self.due_at = now + self.every_seconds
        try:
            self.run()
        except SluiceError as error:
            log.warning("duty_failed", duty=self.name, code=error.code, error=error.detail)


class Conductor:
    """Leads while it holds the lock; otherwise stands by."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self.stopping = threading.Event()
        self.is_leader = False
        self._publisher = Publisher()
        self._announced = False
        self._reap_from = 0.0
        self._duties = [
            Duty("number", TICK_SECONDS, self._number),
            Duty("ring", 1.0, ring_due),
            Duty("reap", 5.0, self._reap),
            Duty("sweep", 30.0, sweep),
            Duty("tidy", 3600.0, get_storage().sweep),
        ]
        self._report = Duty("report", 5.0, self._say_alive)

    def run(self) -> None:
        """Lead or stand by until told to stop."""
        while not self.stopping.is_set():
            try:
                self._step()
            except DatabaseError as error:
                self._lose_database(error)
        self._leave()

    def _step(self) -> None:
        if not self._announced:
            presence.announce(self.id, Worker.Kind.CONDUCTOR, queues=[])
            self._announced = True
        if not self.is_leader:
            self._try_to_lead()
        now = time.monotonic()
        self._report.run_if_due(now)
        if self.is_leader:
            for duty in self._duties:
                duty.run_if_due(now)
        self.stopping.wait(TICK_SECONDS if self.is_leader else STANDBY_SECONDS)

    def _try_to_lead(self) -> None:
        """Take the lock of this session; it ends with the connection, whatever kills us."""
        with connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_lock(%s, %s)", [leases.LOCK_SPACE, LEADER_LOCK])
            self.is_leader = bool(cursor.fetchone()[0])
        if self.is_leader:
            self._report.due_at = 0.0
            log.info("conductor_leads", conductor=str(self.id))

    def _lose_database(self, error: DatabaseError) -> None:
        log.warning("database_away", error=str(error))
        self.is_leader = False
        self._reap_from = time.monotonic() + GRACE_SECONDS
        connection.close()
        self.stopping.wait(STANDBY_SECONDS)

    def _leave(self) -> None:
        self._publisher.close()
        try:
            Worker.objects.filter(id=self.id).update(stopped_at=Now(), is_leader=False)
        except DatabaseError as error:
            log.warning("goodbye_not_said", error=str(error))
        connection.close()

    def _say_alive(self) -> None:
        presence.report(self.id, is_leader=self.is_leader)

    def _number(self) -> None:
        advances = number_events()
        if advances:
            self._publisher.publish(advances)
        self._publisher.repeat()

    def _reap(self) -> None:
        if time.monotonic() < self._reap_from:
            return
        reaped = leases.reap()
        if reaped:
            log.info("leases_reaped", n=reaped)


def ring_due() -> None:
    """Ring for every stage with due work: whatever ring was lost, this one heals it."""
    for stage in jobs.due_stages():
        tasks.ring(stage)
    if StageRun.objects.filter(state="ready", crashes__gt=0).exists():
        tasks.ring_quarantine()


def sweep() -> None:
    """Complete or expire uploads that nobody completed."""
    accepted, expired = arrivals.sweep()
    if accepted or expired:
        log.info("uploads_swept", accepted=accepted, expired=expired)
