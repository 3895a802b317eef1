"""The conductor: one leader that keeps things moving, any number standing by.

It numbers and relays events, rings for work that is due, reaps leases that ran
out and sweeps uploads whose tab was closed. It holds no state that matters: a
new leader goes on from what Postgres says.

Every statement of a leader is made in the session that holds the lock, so a lock
that is gone is a statement that fails. What remains is a duty that was begun
before: numbering locks the events it numbers, reaping and sweeping are
conditional statements, a ring only says "look". So two leaders that overlap for
the length of a duty do some work twice and nothing wrongly.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models.functions import Now

from documents import faults
from documents.errors import SluiceError
from documents.outages import is_database_away
from documents.services import arrivals, disposal, page_images
from documents.storage import get_storage
from processing import generations, leases, presence, tasks
from processing.claims import due_stages
from processing.models import StageRun, Worker
from processing.numbering import number_events
from processing.pipeline import BY_URGENCY
from processing.publisher import Publisher

log = structlog.get_logger(__name__)

# Second key of the advisory lock; stages use the small numbers.
LEADER_LOCK = 1_000
TICK_SECONDS = 0.2
STANDBY_SECONDS = 0.5
STOP_LOOK_SECONDS = 0.1
# What breaks ten times a second would fill the log.
BROKEN_SECONDS = 2.0


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
        except Exception as error:
            if is_database_away(error):
                raise
            # One duty that breaks must not stop the others: there is nobody else to do them.
            log.exception("duty_broke", duty=self.name)
            self.due_at = now + max(self.every_seconds, BROKEN_SECONDS)


class Conductor:
    """Leads while it holds the lock; otherwise stands by."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self.is_leader = False
        # A plain flag: a signal handler that sets an Event may meet its own lock.
        self._is_stopping = False
        self._session: object = None
        self._publisher = Publisher()
        self._announced = False
        self._reap_from = 0.0
        self._duties = [
            Duty("number", TICK_SECONDS, self._number),
            Duty("ring", 1.0, ring_due),
            Duty("reap", 2.0, self._reap),
            Duty("sweep", settings.SWEEP_SECONDS, sweep),
            Duty("tidy", 3600.0, get_storage().sweep),
            Duty("dispose", 5.0, disposal.work_off),
            Duty("prune", 5.0, generations.prune),
            Duty("pages", 10.0, page_images.sweep),
            Duty("orphans", 30.0, disposal.OrphanSweep().step),
        ]
        self._report = Duty("report", 5.0, self._say_alive)

    def stop(self) -> None:
        """End after the duty in hand; safe to call from a signal handler."""
        self._is_stopping = True

    def run(self) -> None:
        """Lead or stand by until told to stop."""
        while not self._is_stopping:
            try:
                self._step()
            except Exception as error:
                if is_database_away(error):
                    log.warning("database_away", error=str(error))
                else:
                    log.exception("conductor_broke")
                self._begin_anew()
        self._leave()

    def _step(self) -> None:
        if not self._announced:
            presence.announce(self.id, Worker.Kind.CONDUCTOR, queues=[])
            self._announced = True
        if not self._still_leads():
            self._try_to_lead()
        self._report.run_if_due(time.monotonic())
        for duty in self._duties:
            # Looked at before each: a transaction that breaks may close the session silently.
            if self._still_leads() and not self._is_stopping:
                duty.run_if_due(time.monotonic())
        self._pause(TICK_SECONDS if self.is_leader else STANDBY_SECONDS)

    def _try_to_lead(self) -> None:
        """Take the lock of this session; it ends with the connection, whatever kills us."""
        with connection.cursor() as cursor:
            # A leader whose machine is gone must not keep the lock until TCP gives up.
            cursor.execute(
                "select set_config('tcp_keepalives_idle', '10', false), "
                "set_config('tcp_keepalives_interval', '5', false), "
                "set_config('tcp_keepalives_count', '3', false), "
                # Nor one that is frozen: who leads says something five times a second.
                "set_config('idle_session_timeout', %s, false)",
                [f"{settings.STALLED_SECONDS}s"],
            )
            cursor.execute(
                "select pg_try_advisory_lock(%s, %s), "
                "extract(epoch from statement_timestamp() - pg_postmaster_start_time())",
                [leases.LOCK_SPACE, LEADER_LOCK],
            )
            self.is_leader, up_seconds = cursor.fetchone()
        if self.is_leader:
            self._session = connection.connection
            self._report.due_at = 0.0
            self._spare_the_workers(settings.LEASE_SECONDS - float(up_seconds))
            log.info("conductor_leads", conductor=str(self.id))

    def _still_leads(self) -> bool:
        """Return whether we lead in the very session that took the lock."""
        if self.is_leader and connection.connection is not self._session:
            log.warning("leader_lost_session", conductor=str(self.id))
            self.is_leader = False
            self._spare_the_workers(settings.LEASE_SECONDS)
        return self.is_leader

    def _spare_the_workers(self, seconds: float) -> None:
        """Take no lease back yet: the database that was away kept the workers from beating."""
        self._reap_from = max(self._reap_from, time.monotonic() + seconds)

    def _begin_anew(self) -> None:
        """Go on with a new session, as one who stands by."""
        self._spare_the_workers(settings.LEASE_SECONDS)
        self.is_leader = False
        connection.close()
        self._pause(STANDBY_SECONDS)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, STOP_LOOK_SECONDS))

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
            faults.point("number.after_commit")
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
    for stage in due_stages(BY_URGENCY):
        tasks.ring(stage.name)
    if StageRun.objects.filter(state="ready", crashes__gt=0).exists():
        tasks.ring_quarantine()


def sweep() -> None:
    """Complete or expire uploads that nobody completed."""
    accepted, expired = arrivals.sweep()
    if accepted or expired:
        log.info("uploads_swept", accepted=accepted, expired=expired)
