"""Set up, kill and revive the work on documents. Called by the signals of documents."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from documents.models import Batch, Document
from documents.services.moves import move
from documents.states import Status
from processing.models import IngestJob, RunState, StageAttempt, StageName, StageRun
from processing.pipeline import STAGES
from processing.tasks import ring_after_commit

PRIO = {"interactive": 10, "bulk": 50}


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
    StageRun.objects.bulk_create(_run(job, stage.name) for job in made for stage in STAGES)
    ring_after_commit(STAGES[0].name)


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
    ids = list(document_ids)
    live = StageRun.objects.filter(
        document_id__in=ids, state__in=(RunState.BLOCKED, RunState.READY, RunState.LEASED)
    )
    run_ids = list(live.order_by("id").select_for_update().values_list("id", flat=True))
    StageAttempt.objects.filter(run_id__in=run_ids, ended_at=None).update(
        ended_at=Now(), outcome=StageAttempt.Outcome.CANCELLED
    )
    StageRun.objects.filter(id__in=run_ids).update(
        state=RunState.CANCELLED, lease_token=None, lease_until=None, lease_worker=None
    )


def retry(documents: Sequence[Document]) -> None:
    """Make the dead runs of these documents ready again, with fresh attempts.

    Attempts never go back: the limit is raised instead.
    """
    ids = [document.id for document in documents]
    current = StageRun.objects.filter(document_id__in=ids, generation=F("document__generation"))
    _revive(documents, current.filter(state=RunState.DEAD))
    StageRun.objects.filter(id__in=current.filter(state=RunState.SKIPPED).values("id")).update(
        state=RunState.BLOCKED
    )


def resume(documents: Sequence[Document]) -> None:
    """Take up the work of cancelled documents where it stood."""
    ids = [document.id for document in documents]
    current = StageRun.objects.filter(document_id__in=ids, generation=F("document__generation"))
    first: dict[UUID, StageRun] = {}
    for run in current.filter(state=RunState.CANCELLED):
        known = first.get(run.document_id)
        if known is None or _place(run) < _place(known):
            first[run.document_id] = run
    StageRun.objects.filter(id__in=current.filter(state=RunState.CANCELLED).values("id")).update(
        state=RunState.BLOCKED
    )
    _revive(documents, StageRun.objects.filter(id__in=[run.id for run in first.values()]))


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


def _place(run: StageRun) -> int:
    return [stage.name for stage in STAGES].index(StageName(run.stage))


def due_stages() -> list[StageName]:
    """Return the stages that have a run ready to be claimed now."""
    return [
        stage.name
        for stage in STAGES
        if StageRun.objects.filter(
            state=RunState.READY, stage=stage.name, run_at__lte=Now()
        ).exists()
    ]
