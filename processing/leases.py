"""Claim, keep, finish, fail, hand back and reap stage runs.

Postgres decides all of it, by its own clock. A lease token fences every write:
a result whose token is no longer on the row is dropped. Locks are always taken
in the order document, then run.
"""

import random
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from documents import events
from documents.errors import (
    CrashedError,
    LeaseLostError,
    PermanentError,
    SluiceError,
    TransientError,
)
from documents.models import Document
from documents.services import quota
from documents.services.moves import move
from documents.states import Status
from documents.storage import get_storage
from processing.models import StageName
from processing.stage import Lease, Stage, Write

log = structlog.get_logger(__name__)

# First key of every advisory lock of Sluice; the second is the stage's number.
LOCK_SPACE = 771

CLAIM = """
with recursive t as (
  (select workspace_id from processing_stagerun where state = 'ready' and stage = %(stage)s
   order by workspace_id limit 1)
  union all
  select (select workspace_id from processing_stagerun
          where state = 'ready' and stage = %(stage)s and workspace_id > t.workspace_id
          order by workspace_id limit 1)
  from t where t.workspace_id is not null),
inf as (select workspace_id, count(*) n from processing_stagerun
        where state = 'leased' and stage = %(stage)s group by 1),
cand as (
  select j.id, j.prio, j.run_at,
    (row_number() over w + coalesce(i.n, 0))::numeric / ws.weight vt,
    row_number() over w + coalesce(i.n, 0) <= ws.max_inflight ok
  from t join documents_workspace ws on ws.id = t.workspace_id
  left join inf i using (workspace_id)
  cross join lateral (
    select id, prio, run_at from processing_stagerun
    where state = 'ready' and stage = %(stage)s and (crashes > 0) = %(quarantine)s
      and workspace_id = t.workspace_id and run_at <= statement_timestamp()
    order by prio, run_at, id limit %(n)s) j
  window w as (partition by t.workspace_id order by j.prio, j.run_at, j.id)),
lk as (
  select r.id from processing_stagerun r
  where r.id in (select id from cand where ok order by vt, prio, run_at, id limit %(n)s)
    and r.state = 'ready'
  for update skip locked),
up as (
  update processing_stagerun r
  set state = 'leased', attempt = attempt + 1, lease_token = gen_random_uuid(),
      lease_until = statement_timestamp() + make_interval(secs => %(seconds)s),
      lease_worker = %(worker)s
  from lk where r.id = lk.id returning r.*),
led as (
  insert into processing_stageattempt (run_id, n, worker, started_at, outcome, error_code,
                                       error_text)
  select id, attempt, %(worker)s, clock_timestamp(), '', '', '' from up)
select id, document_id, workspace_id, generation, stage, attempt, max_attempts, crashes,
       lease_token
from up order by prio, run_at, id
"""


def claim(stage: Stage, worker: UUID, *, limit: int, quarantine: bool = False) -> list[Lease]:
    """Lease up to `limit` ready runs of a stage, fairly between workspaces.

    Runs that crashed before are only given out to the quarantine.
    """
    values: dict[str, Any] = {
        "stage": stage.name.value,
        "n": limit,
        "worker": worker,
        "seconds": settings.LEASE_SECONDS,
        "quarantine": quarantine,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # One claimer of a stage at a time: what is in flight decides whose turn it is.
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, stage.number])
        cursor.execute(CLAIM, values)
        rows = cursor.fetchall()
    return [_lease(row) for row in rows]


def beat(leases: Iterable[Lease]) -> None:
    """Extend leases that are still on their rows.

    Rows that somebody has locked are skipped: a finish is under way, or the
    next beat will reach them.
    """
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


def finish(lease: Lease, write: Write, following: Sequence[StageName]) -> None:
    """Write a stage's outputs and end its run, in one transaction.

    `following` become ready, unless the write says that nothing is left to do.
    Raises LeaseLostError, having changed nothing, when the document was
    cancelled or replaced, or when the run has another owner by now.
    """
    with transaction.atomic():
        document = _lock_document(lease)
        _fence(lease, "done")
        goes_on = write(document)
        _end_attempt(lease, "ok")
        _clear_error(document, lease.stage)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                update processing_stagerun set state = %s, run_at = statement_timestamp()
                where job_id = (select job_id from processing_stagerun where id = %s)
                  and state = 'blocked' and (stage = any(%s) or %s = 'skipped')
                """,
                [
                    "ready" if goes_on else "skipped",
                    lease.run_id,
                    list(following),
                    "ready" if goes_on else "skipped",
                ],
            )
        tell(document, lease.stage, "done")


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
            _give_up(document, lease, error)
        tell(document, lease.stage, "dead" if delay is None else "ready", error)
    log.info(
        "stage_failed",
        document_id=str(lease.document_id),
        stage=lease.stage,
        attempt=lease.attempt,
        code=error.code,
        retry_seconds=delay,
        **error.details,
    )


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


def reap() -> int:
    """Take back runs whose lease ran out; return how many.

    A run that was lost MAX_CRASHES times is dead: something about it kills its
    workers. Each is judged again under the lock, because a late beat or finish
    may have come in between.
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
        lease = _lease(row)
        try:
            reaped += _reap_one(lease)
        except LeaseLostError:
            continue  # Finished, cancelled or extended meanwhile: nothing to take back.
    return reaped


def _lease(row: tuple[Any, ...]) -> Lease:
    run_id, document_id, workspace_id, generation, stage, attempt, limit, crashes, token = row
    return Lease(
        run_id=run_id,
        document_id=document_id,
        workspace_id=workspace_id,
        generation=generation,
        stage=StageName(stage),
        attempt=attempt,
        max_attempts=limit,
        crashes=crashes,
        token=token,
    )


def _reap_one(lease: Lease) -> int:
    with transaction.atomic():
        _lock_document(lease)
        with connection.cursor() as cursor:
            cursor.execute(
                "select 1 from processing_stagerun where id = %s and lease_token = %s "
                "and state = 'leased' and lease_until < statement_timestamp() for update",
                [lease.run_id, lease.token],
            )
            if cursor.fetchone() is None:
                return 0
        fail(lease, CrashedError("The worker ended while it worked on this document."))
    return 1


def _ids_and_tokens(leases: Iterable[Lease]) -> tuple[list[int], list[UUID]]:
    leases = list(leases)
    return [lease.run_id for lease in leases], [lease.token for lease in leases]


def _lock_document(lease: Lease) -> Document:
    """Lock the document if it still wants this work, or raise LeaseLostError."""
    document = Document.objects.select_for_update(no_key=True).filter(id=lease.document_id).first()
    if document is None or document.generation != lease.generation:
        raise LeaseLostError("The document was deleted or replaced.")
    if document.status == Status.CANCELLED:
        raise LeaseLostError("The document was cancelled.")
    return document


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
        return error.retry_after_seconds * random.uniform(1, 1.1)
    ladder = settings.RETRY_LADDER_SECONDS
    if isinstance(error, CrashedError):
        # Not the input's fault as far as is known: soon, but in quarantine.
        return random.uniform(0.5, 1.5) * crashes
    step = ladder[min(lease.attempt, len(ladder)) - 1]
    return float(step * random.uniform(0.9, 1.1))


def _note_error(
    document: Document, stage: StageName, error: SluiceError, delay: float | None
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update documents_document
            set error_code = %s, error_detail = %s, error_stage = %s,
                retry_at = statement_timestamp() + make_interval(secs => %s)
            where id = %s
            """,
            [error.code, error.detail, stage.value, delay, document.id],
        )


def _clear_error(document: Document, stage: StageName) -> None:
    Document.objects.filter(id=document.id, error_stage=stage).update(
        error_code="", error_detail="", error_stage="", retry_at=None
    )


def _give_up(document: Document, lease: Lease, error: SluiceError) -> None:
    """Bring the document to its end: refused by verify, or failed later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update processing_stagerun set state = 'skipped' where state = 'blocked' and job_id ="
            " (select job_id from processing_stagerun where id = %s)",
            [lease.run_id],
        )
    refused = lease.stage == StageName.VERIFY and isinstance(error, PermanentError)
    move(Document.objects.filter(id=document.id), Status.REJECTED if refused else Status.FAILED)
    if refused:
        quota.release([document.id])
        # Nothing leads back from there, and bytes that nobody pays for would stay for ever.
        delete = partial(get_storage().delete, document.incoming_key)
        transaction.on_commit(delete, robust=True)


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
