"""Keep, finish, fail, interrupt, hand back and reap stage runs that were claimed.

Postgres decides all of it, by its own clock. A lease token fences every write:
a result whose token is no longer on the row is dropped. Locks are always taken
in the order document, then run.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from documents import events, faults
from documents.errors import (
    CrashedError,
    LeaseLostError,
    PermanentError,
    SluiceError,
    TransientError,
)
from documents.models import Document
from documents.states import Status
from processing import endings
from processing.claims import LOCK_SPACE as LOCK_SPACE
from processing.claims import claim as claim
from processing.claims import lease_of
from processing.continuation import open_following, skip_the_rest
from processing.models import StageName
from processing.pipeline import REQUIRED
from processing.stage import Aside, Lease, Write

log = structlog.get_logger(__name__)

# A provider that asks for more is asked again after a day.
MAX_RETRY_AFTER_SECONDS = 24 * 3600


def beat(leases: Iterable[Lease]) -> None:
    """Extend leases that are still on their rows.

    Rows that somebody has locked are skipped: a finish is under way, or the
    next beat will reach them.
    """
    faults.point("beat.before_update")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_stagerun r
            set lease_until = statement_timestamp() + make_interval(secs => %s)
            from (select id from processing_stagerun
                  where id = any(%s) and lease_token = any(%s) and state = 'leased'
                  order by id for update skip locked) held
            where r.id = held.id
            """,
            [settings.LEASE_SECONDS, *_ids_and_tokens(leases)],
        )


def still_held(leases: Iterable[Lease]) -> set[UUID]:
    """Return the tokens that are still on their rows; the others were lost."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select lease_token from processing_stagerun "
            "where id = any(%s) and lease_token = any(%s) and state = 'leased'",
            list(_ids_and_tokens(leases)),
        )
        return {row[0] for row in cursor.fetchall()}


def finish(lease: Lease, write: Write, following: Sequence[StageName]) -> list[StageName]:
    """Write a stage's outputs and end its run, in one transaction; return what became ready.

    `following` do, where they concern the document, unless the write says that nothing is left
    to do. Raises LeaseLostError, having changed nothing, when the document was
    cancelled or replaced, or when the run has another owner by now.
    """
    with transaction.atomic():
        document = _lock_document(lease)
        _fence(lease, "done")
        faults.point("finish.after_fence")
        goes_on = write(document)
        _end_attempt(lease, "ok")
        _clear_error(document, lease.stage)
        opened = open_following(lease, document, following) if goes_on else skip_the_rest(lease)
        tell(document, lease.stage, "done")
        if not following:
            endings.conclude(document)
        faults.point("finish.before_commit")
    return opened


def fail(lease: Lease, error: SluiceError) -> None:
    """End an attempt: try again later on the ladder, or give up for good.

    Raises LeaseLostError, having changed nothing, like `finish`.
    """
    with transaction.atomic():
        document = _lock_document(lease)
        crashes = lease.crashes + isinstance(error, CrashedError)
        delay = _delay_seconds(lease, error, crashes)
        outcome = "permanent" if isinstance(error, PermanentError) else "transient"
        if isinstance(error, CrashedError):
            outcome = "crashed"
        _fence(lease, "dead" if delay is None else "ready", error, delay or 0, crashes)
        _end_attempt(lease, outcome, error)
        _note_error(document, lease.stage, error, delay)
        if delay is None:
            endings.give_up(document, lease, error)
        tell(document, lease.stage, "dead" if delay is None else "ready", error)
        faults.point("fail.before_commit")
    log.info(
        "stage_failed",
        document_id=str(lease.document_id),
        stage=lease.stage,
        attempt=lease.attempt,
        code=error.code,
        retry_seconds=delay,
        **error.details,
    )


def step_aside(lease: Lease, work: Aside) -> None:
    """Keep what the work has so far and give the run back, in one transaction and uncharged.

    Raises LeaseLostError, having changed nothing, like `finish`.
    """
    with transaction.atomic():
        document = _lock_document(lease)
        _rest(lease, work.rest_seconds)
        work.keep(document)
        _end_attempt(lease, "aside")
        faults.point("aside.before_commit")


def _rest(lease: Lease, seconds: float) -> None:
    """Make the run ready, if the lease is still ours, and others go first for a while."""
    # While it rests, a run is claimed only if nothing else is ready: long work takes its share
    # of a thread from whoever waits, whatever their lane, and all of it when nobody does. Then
    # it is what it was, so nothing that keeps coming starves it. In the fast lane it goes to
    # the end, as somebody waits for each who is there. In the bulk lane it keeps its place: of
    # thousands of scans the first are done before the last have had their first turn.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_stagerun r
            set state = 'ready', attempt = attempt - 1,
                lease_token = null, lease_until = null, lease_worker = null,
                rests_until = statement_timestamp() + make_interval(secs => %s),
                run_at = case j.lane when 'interactive' then statement_timestamp()
                         else r.run_at end
            from processing_ingestjob j
            where j.id = r.job_id and r.id = %s and r.lease_token = %s and r.state = 'leased'
            """,
            [seconds, lease.run_id, lease.token],
        )
        if cursor.rowcount != 1:
            raise LeaseLostError("The work was handed to another worker.")


def hand_back(lease: Lease) -> None:
    """Give a run back unfinished, without charging the attempt."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_stagerun
            set state = 'ready', attempt = attempt - 1, run_at = statement_timestamp(),
                lease_token = null, lease_until = null, lease_worker = null
            where id = %s and lease_token = %s and state = 'leased'
            """,
            [lease.run_id, lease.token],
        )
        if cursor.rowcount:
            _end_attempt(lease, "returned")
        faults.point("hand_back.before_commit")


def reap() -> int:
    """Take back runs whose lease ran out; return how many.

    A run that was lost MAX_CRASHES times is dead: something about it kills its
    workers. One that nobody wants any more is cancelled. Each is judged again under
    the lock, because a late beat or finish may have come in between.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select id, document_id, workspace_id, generation, stage, attempt, max_attempts,
                   crashes, lease_token
            from processing_stagerun
            where state = 'leased' and lease_until < statement_timestamp()
            order by lease_until limit 500
            """
        )
        rows = cursor.fetchall()
    reaped = 0
    for row in rows:
        lease = lease_of(row)
        try:
            reaped += _reap_one(lease)
        except LeaseLostError:
            continue  # Finished, cancelled or extended meanwhile: nothing to take back.
    return reaped


def _reap_one(lease: Lease) -> int:
    with transaction.atomic():
        document = _locked(lease)
        with connection.cursor() as cursor:
            cursor.execute(
                "select 1 from processing_stagerun where id = %s and lease_token = %s "
                "and state = 'leased' and lease_until < statement_timestamp() for update",
                [lease.run_id, lease.token],
            )
            if cursor.fetchone() is None:
                return 0
        if _why_unwanted(document, lease):
            _fence(lease, "cancelled")
            _end_attempt(lease, "cancelled")
        else:
            fail(lease, CrashedError("The worker ended while it worked on this document."))
        faults.point("reap.before_commit")
    faults.point("reap.after_commit")
    return 1


def _ids_and_tokens(leases: Iterable[Lease]) -> tuple[list[int], list[UUID]]:
    leases = list(leases)
    return [lease.run_id for lease in leases], [lease.token for lease in leases]


def _lock_document(lease: Lease) -> Document:
    """Lock the document if it still wants this work, or raise LeaseLostError."""
    document = _locked(lease)
    if document is None or _why_unwanted(document, lease):
        raise LeaseLostError(_why_unwanted(document, lease))
    return document


def _locked(lease: Lease) -> Document | None:
    documents = Document.objects.filter(id=lease.document_id)
    return documents.select_for_update(no_key=True).first()


def _why_unwanted(document: Document | None, lease: Lease) -> str:
    """Return why nobody waits for this work any more; nothing if somebody does."""
    if document is None:
        return "The document was deleted."
    if document.generation != lease.generation:
        return "The document is read anew."
    return "The document was cancelled." if document.status == Status.CANCELLED else ""


def _fence(
    lease: Lease, state: str, error: SluiceError | None = None, delay: float = 0, crashes: int = 0
) -> None:
    """Take the run out of the lease, if the lease is still ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_stagerun
            set state = %s, lease_token = null, lease_until = null, lease_worker = null,
                crashes = greatest(crashes, %s), error_code = %s, error_text = %s,
                run_at = statement_timestamp() + make_interval(secs => %s),
                finished_at = case when %s in ('done', 'dead') then statement_timestamp() end
            where id = %s and lease_token = %s and state = 'leased'
            """,
            [
                state,
                crashes,
                error.code if error else "",
                error.detail if error else "",
                delay,
                state,
                lease.run_id,
                lease.token,
            ],
        )
        if cursor.rowcount != 1:
            raise LeaseLostError("The work was handed to another worker.")


def _end_attempt(lease: Lease, outcome: str, error: SluiceError | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_stageattempt
            set ended_at = clock_timestamp(), outcome = %s, error_code = %s, error_text = %s
            where run_id = %s and n = %s and ended_at is null
            """,
            [
                outcome,
                error.code if error else "",
                error.detail if error else "",
                lease.run_id,
                lease.attempt,
            ],
        )


def _delay_seconds(lease: Lease, error: SluiceError, crashes: int) -> float | None:
    """Return how long to wait before the next attempt; None when there is none."""
    if isinstance(error, PermanentError) or not isinstance(error, TransientError):
        return None
    if lease.attempt >= lease.max_attempts or crashes >= settings.MAX_CRASHES:
        return None
    if error.retry_after_seconds is not None:
        # Never earlier than asked for, and a little apart from the others who were asked.
        asked = min(max(error.retry_after_seconds, 0), MAX_RETRY_AFTER_SECONDS)
        return asked * random.uniform(1, 1 + settings.RETRY_JITTER)
    ladder = settings.RETRY_LADDER_SECONDS
    if isinstance(error, CrashedError):
        # Not the input's fault as far as is known: soon, but in quarantine.
        return random.uniform(0.5, 1.5) * crashes
    step = ladder[min(lease.attempt, len(ladder)) - 1]
    return float(step * random.uniform(1 - settings.RETRY_JITTER, 1 + settings.RETRY_JITTER))


def _note_error(
    document: Document, stage: StageName, error: SluiceError, delay: float | None
) -> None:
    required = [one.name.value for one in REQUIRED]
    # What keeps a document from being found is told, and not what is missing besides.
    weightier = [] if stage in required else required
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update documents_document
            set error_code = %s, error_detail = %s, error_stage = %s,
                retry_at = statement_timestamp() + make_interval(secs => %s)
            where id = %s and (error_stage = '' or not error_stage = any(%s))
            """,
            [error.code, error.detail, stage.value, delay, document.id, weightier],
        )


def _clear_error(document: Document, stage: StageName) -> None:
    Document.objects.filter(id=document.id, error_stage=stage).update(
        error_code="", error_detail="", error_stage="", retry_at=None
    )


def tell(
    document: Document, stage: StageName, state: str, error: SluiceError | None = None
) -> None:
    """Append the event of a stage's new state."""
    payload: dict[str, Any] = {
        "document": str(document.id),
        "path": document.path,
        "stage": stage.value,
        "state": state,
    }
    if error is not None:
        payload["error"] = {"code": error.code, "detail": error.detail}
    events.append(events.batch_stream(document.batch_id), "stage", payload)
