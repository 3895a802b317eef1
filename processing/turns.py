"""A worker thread's turn: claim, run, finish, fail or step aside, until nothing is ready."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from documents import faults
from documents.errors import CrashedError, LeaseLostError, SluiceError, TransientError
from documents.outages import is_database_away
from processing import leases
from processing.claims import due_stages
from processing.models import StageName
from processing.pipeline import BY_URGENCY, REQUIRED, following, get_stage
from processing.presence import presence
from processing.stage import Aside, Held, Lease, Result, ShutdownError, Stage

log = structlog.get_logger(__name__)
_quarantine = threading.Lock()


class InternalError(TransientError):
    """Something we did not foresee; the log has the traceback, the person our sentence."""

    code, status, title = "internal", 500, "Something went wrong on our side"


@dataclass(frozen=True, slots=True)
class Bells:
    """How to wake other threads; given by the caller, so that nothing here knows actors."""

    ring: Callable[[StageName], None]
    ring_quarantine: Callable[[], None]


def work_on(name: StageName, bells: Bells) -> int:
    """Work on ready runs of a stage for at most a turn; return how many were taken."""
    return _turn(get_stage(name), bells, quarantine=False)


def work_in_quarantine(bells: Bells) -> int:
    """Work on runs that crashed before, unless this process does already."""
    if not _quarantine.acquire(blocking=False):
        return 0
    try:
        return sum(_turn(stage, bells, quarantine=True) for stage in BY_URGENCY)
    finally:
        _quarantine.release()


def _turn(stage: Stage, bells: Bells, *, quarantine: bool) -> int:
    ends_at = time.monotonic() + settings.TURN_SECONDS
    taken = 0
    while time.monotonic() < ends_at and presence.takes_work:
        chosen, claimed = _claim(stage, quarantine=quarantine)
        if not claimed:
            break
        taken += len(claimed)
        # There may be more, and another thread may be free.
        bells.ring(chosen.name)
        _work(chosen, claimed, bells)
    return taken


def _claim(stage: Stage, *, quarantine: bool) -> tuple[Stage, list[Lease]]:
    """Claim what is ready: nothing while the database is away, which ends the turn."""
    try:
        for chosen in [stage] if quarantine else [*_before(stage), stage]:
            limit = 1 if quarantine else chosen.claim_size
            claimed = leases.claim(chosen, presence.id, limit=limit, quarantine=quarantine)
            if claimed:
                return chosen, claimed
        return stage, _claim_resting(stage, quarantine=quarantine)
    except DatabaseError as error:
        if not is_database_away(error):
            raise
        log.warning("turn_broken_off", stage=stage.name, error=str(error))
        _drop_connection()
    return stage, []


def _claim_resting(stage: Stage, *, quarantine: bool) -> list[Lease]:
    """Claim a run that stepped aside for others, unless they wait at another stage."""
    others = [other for other in REQUIRED if other.name != stage.name]
    if not quarantine and due_stages(others, crashes=0):
        return []
    return leases.claim(stage, presence.id, limit=1, quarantine=quarantine, resting=True)


def _before(stage: Stage) -> list[Stage]:
    """Return what goes before an optional stage: required work that is due, the last steps first.

    Claimed and not only looked for: what may not run now must not hold the optional stage up.
    """
    return [] if stage.is_required else list(reversed(due_stages(REQUIRED, crashes=0)))


def _work(stage: Stage, claimed: Sequence[Lease], bells: Bells) -> None:
    """Run a stage over its leases and settle each, whatever happens."""
    work = [Held(lease) for lease in claimed]
    open_work = {held.lease.token: held for held in work}
    with presence.holding(work):
        try:
            for held, result in stage.run(work):
                open_work.pop(held.lease.token)
                _settle(stage, held, result, bells)
        except LeaseLostError as error:
            log.info("turn_ended", stage=stage.name, reason=error.code)
        except Exception as error:
            if is_database_away(error):
                log.warning("turn_broken_off", stage=stage.name, error=str(error))
                _drop_connection()
            else:
                log.exception("stage_broke", stage=stage.name)
                for held in open_work.values():
                    _settle(stage, held, _unforeseen(error), bells)
                open_work.clear()
        for held in open_work.values():
            _hand_back(held.lease)


def _settle(stage: Stage, held: Held, result: Result, bells: Bells) -> None:
    """Finish one lease, fail it or step aside; a lease that was lost is dropped."""
    lease = held.lease
    if isinstance(result, SluiceError) and held.lost is not None:
        # A child that was stopped, or a sandbox that is closing, says little of the document.
        result = held.lost
    try:
        _write(stage, lease, result, bells)
    except LeaseLostError as error:
        log.info(
            "result_dropped",
            document_id=str(lease.document_id),
            stage=stage.name,
            reason=error.detail,
        )
    except SluiceError as error:
        # Raised by the write itself; the transaction is rolled back.
        _settle(stage, held, error, bells)
    except Exception as error:
        if is_database_away(error):
            # Which is not the run's fault.
            _drop_connection()
            _hand_back(lease)
            return
        log.exception("settle_broke", stage=stage.name, document_id=str(lease.document_id))
        if isinstance(result, InternalError):
            raise
        _settle(stage, held, _unforeseen(error), bells)


def _write(stage: Stage, lease: Lease, result: Result, bells: Bells) -> None:
    """Write the result down and wake whoever goes on with it."""
    if isinstance(result, ShutdownError):
        leases.hand_back(lease)
        return
    if isinstance(result, LeaseLostError):
        raise result
    if isinstance(result, SluiceError):
        leases.fail(lease, result)
        faults.point("fail.after_commit")
        if isinstance(result, CrashedError):
            bells.ring_quarantine()
        return
    if isinstance(result, Aside):
        _step_aside(lease, result, bells)
        return
    started = time.monotonic()
    opened = leases.finish(lease, result, following(stage.name))
    faults.point("finish.after_commit")
    log.info(
        "stage_finished",
        document_id=str(lease.document_id),
        stage=stage.name,
        attempt=lease.attempt,
        write_seconds=round(time.monotonic() - started, 3),
    )
    for name in opened:
        bells.ring(name)


def _step_aside(lease: Lease, result: Aside, bells: Bells) -> None:
    """Keep what there is so far, and have whoever goes on with it woken like for anything ready."""
    leases.step_aside(lease, result)
    log.info(
        "stepped_aside",
        document_id=str(lease.document_id),
        stage=lease.stage,
        attempt=lease.attempt,
    )
    if lease.crashes:
        bells.ring_quarantine()
    else:
        bells.ring(lease.stage)


def _drop_connection() -> None:
    """Let go of a broken connection; what was under way on it may or may not be committed."""
    connection.close()
    presence.doubt()


def _hand_back(lease: Lease) -> None:
    try:
        leases.hand_back(lease)
    except DatabaseError as error:
        # The heartbeat does it once the database is back; failing that, the reaper.
        log.warning("hand_back_lost", document_id=str(lease.document_id), error=str(error))
        _drop_connection()


def _unforeseen(error: Exception) -> InternalError:
    return InternalError(
        "Something went wrong on our side; it will be tried again.",
        exception=type(error).__name__,
    )
