"""Set up, kill and revive the work on documents. Called by the signals of documents."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from documents.models import Batch, Document
from documents.services.moves import move
from documents.states import Status
from processing.models import IngestJob, RunState, StageAttempt, StageName, StageRun
from processing.pipeline import OF_ALL, STAGES, get_stage
from processing.tasks import ring_after_commit

PRIO = {"interactive": 10, "bulk": 50}
UNLEASED: dict[str, Any] = {"lease_token": None, "lease_until": None, "lease_worker": None}


def create(documents: Sequence[Document]) -> None:
    """Create the job and the stage runs of uploaded documents of one batch.

    Runs in the caller's transaction; a job that is there already is left alone.
    """
    lane = _lane(documents[0].batch)
    jobs = [
        IngestJob(
            workspace_id=document.workspace_id,
            document=document,
            generation=document.generation,
            lane=lane,
        )
        for document in documents
    ]
    IngestJob.objects.bulk_create(jobs, ignore_conflicts=True)
    made = IngestJob.objects.filter(id__in=[job.id for job in jobs])
    StageRun.objects.bulk_create(_run(job, stage.name) for job in made for stage in OF_ALL)
    ring_after_commit(STAGES[0].name)


def renew(documents: Sequence[Document]) -> None:
    """Set up the work on a new generation of stored documents, from extract on.

    Work on an older generation ends here. What an unfinished one has written goes; what can
    be searched stays until the new one goes live.
    """
    ids = [document.id for document in documents]
    older = Q(document_id__in=ids, generation__lt=F("document__generation"))
    cancel_runs(StageRun.objects.filter(older))
    unwanted = IngestJob.objects.filter(older).exclude(generation=F("document__live_generation"))
    IngestJob.objects.filter(id__in=unwanted.values("id")).update(is_stale=True)
    by_batch: dict[UUID, list[Document]] = defaultdict(list)
    for document in documents:
        by_batch[document.batch_id].append(document)
    for group in by_batch.values():
        create(group)
    fresh = StageRun.objects.filter(document_id__in=ids, generation=F("document__generation"))
    # The stored bytes are verified, and no URL was ever signed for writing them.
    verify = fresh.filter(stage=StageName.VERIFY)
    _set(verify, state=RunState.DONE, finished_at=Now())
    _set(fresh.filter(stage=StageName.EXTRACT), state=RunState.READY)
    ring_after_commit(StageName.EXTRACT)


def _set(runs: QuerySet[StageRun], **fields: Any) -> None:
    """Update runs that were chosen through their documents."""
    StageRun.objects.filter(id__in=runs.values("id")).update(**fields)


def _run(job: IngestJob, stage: StageName) -> StageRun:
    first = stage == STAGES[0].name
    return StageRun(
        job=job,
        workspace_id=job.workspace_id,
        document_id=job.document_id,
        generation=job.generation,
        stage=stage,
        state=RunState.READY if first else RunState.BLOCKED,
        prio=PRIO[job.lane],
        max_attempts=settings.MAX_ATTEMPTS,
    )


def _lane(batch: Batch) -> str:
    """Return the lane a batch's jobs run in: few documents pass the bulk lane."""
    if batch.lane != Batch.Lane.AUTO:
        return str(batch.lane)
    # A promise of few is held against what was registered.
    registered = Document.objects.filter(batch=batch)[: settings.INTERACTIVE_DOCUMENTS + 1].count()
    n = max(registered, batch.expected_documents or 0)
    few = n <= settings.INTERACTIVE_DOCUMENTS
    return str(Batch.Lane.INTERACTIVE if few else Batch.Lane.BULK)


def cancel(document_ids: Iterable[UUID]) -> None:
    """End the runs of documents that were just cancelled.

    Leased runs too: whoever works on one finds its token gone at the next
    look, kills the child and drops the result.
    """
    cancel_runs(StageRun.objects.filter(document_id__in=list(document_ids)))


def cancel_runs(runs: QuerySet[StageRun]) -> None:
    """End those of these runs that have not ended, and the attempts under way."""
    live = (RunState.BLOCKED, RunState.READY, RunState.LEASED)
    run_ids = lock_runs(runs.filter(state__in=live))
    StageAttempt.objects.filter(run_id__in=run_ids, ended_at=None).update(
        **ended(StageAttempt.Outcome.CANCELLED)
    )
    StageRun.objects.filter(id__in=run_ids).update(state=RunState.CANCELLED, **UNLEASED)


def lock_runs(runs: QuerySet[StageRun]) -> list[int]:
    """Lock these runs in the one order that everybody keeps; return their ids."""
    locked = runs.order_by("id").select_for_update(of=("self",))
    return list(locked.values_list("id", flat=True))


def ended(outcome: StageAttempt.Outcome) -> dict[str, Any]:
    """Return the fields of an attempt that somebody else ended."""
    return {"ended_at": Now(), "outcome": outcome}


def retry(documents: Sequence[Document]) -> None:
    """Make the dead runs of these documents ready again, with fresh attempts.

    Attempts never go back: the limit is raised instead.
    """
    ids = [document.id for document in documents]
    current = StageRun.objects.filter(document_id__in=ids, generation=F("document__generation"))
    _revive(documents, current.filter(state=RunState.DEAD))
    _set(current.filter(state=RunState.SKIPPED), state=RunState.BLOCKED)


@transaction.atomic
def repeat(document_ids: Iterable[UUID], name: StageName) -> int:
    """Have a stage done again, or at last, for documents that have ended; return for how many.

    They are `processing` until it is done, and found meanwhile. What is at work, or was
    cancelled since, is left alone.
    """
    ended = Document.objects.filter(
        id__in=list(document_ids), status__in=(Status.READY, Status.PARTIAL)
    )
    documents = list(ended.order_by("id").select_for_update(no_key=True))
    ids = [document.id for document in documents]
    current = {"document_id__in": ids, "generation": F("document__generation")}
    StageRun.objects.bulk_create(
        (_run(job, name) for job in IngestJob.objects.filter(**current)), ignore_conflicts=True
    )
    runs = StageRun.objects.filter(**current, stage=name).exclude(state=RunState.LEASED)
    n = runs.count()
    _revive(documents, runs)
    return n


def resume(documents: Sequence[Document]) -> None:
    """Take up the work of cancelled documents where it stood."""
    ids = [document.id for document in documents]
    current = StageRun.objects.filter(document_id__in=ids, generation=F("document__generation"))
    runs = list(current)
    done = {(run.document_id, run.stage) for run in runs if run.state == RunState.DONE}
    stopped = [run for run in runs if run.state == RunState.CANCELLED]
    next_ids = [run.id for run in stopped if _is_next(run, done)]
    _set(current.filter(state=RunState.CANCELLED), state=RunState.BLOCKED)
    _revive(documents, StageRun.objects.filter(id__in=next_ids))


@transaction.atomic
def _revive(documents: Sequence[Document], runs: QuerySet[StageRun]) -> None:
    stages: dict[StageName, list[UUID]] = defaultdict(list)
    run_ids = []
    for run in runs:
        stages[StageName(run.stage)].append(run.document_id)
        run_ids.append(run.id)
    StageRun.objects.filter(id__in=run_ids).update(
        state=RunState.READY,
        run_at=Now(),
        crashes=0,
        max_attempts=F("attempt") + settings.MAX_ATTEMPTS,
    )
    for stage, document_ids in stages.items():
        to = Status.UPLOADED if stage == StageName.VERIFY else Status.PROCESSING
        move(
            Document.objects.filter(id__in=document_ids),
            to,
            error_code="",
            error_detail="",
            error_stage="",
            retry_at=None,
        )
        ring_after_commit(stage)


def _is_next(run: StageRun, done: set[tuple[UUID, str]]) -> bool:
    """Return whether nothing that comes before this run is left to do."""
    after = get_stage(StageName(run.stage)).after
    return after is None or (run.document_id, after) in done
