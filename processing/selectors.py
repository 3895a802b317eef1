"""Read what processing knows of a document, for pages and the API."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet, Sum

from documents.errors import NotFoundError, kind_of
from documents.models import Document
from documents.selectors import User, documents_for
from documents.states import FINAL, Status
from processing.models import Entity, IngestJob, PageText, RunState, StageAttempt, StageRun
from processing.pipeline import STAGES

PLACE = {stage.name.value: place for place, stage in enumerate(STAGES)}


def stages_of(document_ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Return each document's stages in order, with the seconds of the last attempt."""
    runs = list(
        StageRun.objects.filter(document_id__in=document_ids, generation=F("document__generation"))
    )
    seconds = _seconds([run.id for run in runs if run.attempt])
    stages: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: PLACE[run.stage]):
        error = failure(run.error_code, run.error_text)
        stages[run.document_id].append(
            {
                "stage": run.stage,
                "state": run.state,
                "attempt": run.attempt,
                "seconds": seconds.get(run.id),
                "error": error,
            }
        )
    return stages


def failure(code: str, detail: str) -> dict[str, Any] | None:
    """Return an error as the API tells it; None without a code."""
    return {"code": code, "kind": kind_of(code), "detail": detail} if code else None


def _seconds(run_ids: list[int]) -> dict[int, float]:
    """Return how long the latest ended attempt of each run took, in all its turns."""
    if not run_ids:
        return {}
    ended = StageAttempt.objects.filter(run_id__in=run_ids, ended_at__isnull=False)
    # What was handed back or stepped aside goes on under the same number.
    turns = ended.values("run_id", "n").annotate(took=Sum(F("ended_at") - F("started_at")))
    return {
        row["run_id"]: round(row["took"].total_seconds(), 3)
        for row in turns.order_by("run_id", "n")
    }


def attempts_of(document: Document) -> list[StageAttempt]:
    """Return the whole ledger of a document, oldest first."""
    return list(
        StageAttempt.objects.filter(run__document=document).select_related("run").order_by("id")
    )


def pages_of(document: Document) -> list[PageText]:
    """Return the document's current text by page; a duplicate's is its original's."""
    holder = document.duplicate_of or document
    if document.status == Status.CANCELLED:
        return []
    live = PageText.objects.filter(document=holder, generation=holder.live_generation)
    return list(live.order_by("number"))


def entities_of(document: Document) -> QuerySet[Entity]:
    """Return what the document's current text mentions; a duplicate's is its original's."""
    holder = document.duplicate_of or document
    if document.status == Status.CANCELLED:
        return Entity.objects.none()
    return Entity.objects.filter(document=holder, generation=holder.live_generation)


def entity_json(entity: Entity) -> dict[str, Any]:
    """Return an entity as the API tells it."""
    return {
        "kind": entity.kind,
        "value": entity.value,
        "text": entity.text,
        "count": entity.count,
        "positions": [
            {"page": page, "start": start, "text": text} for page, start, text in entity.positions
        ],
    }


def get_job_for(user: User, job_id: UUID) -> dict[str, Any]:
    """Return a job as the API tells it, or raise NotFoundError."""
    job = (
        IngestJob.objects.select_related("document")
        .filter(id=job_id, document__in=documents_for(user))
        .first()
    )
    if job is None:
        raise NotFoundError("There is no such job.")
    runs = sorted(job.runs.all(), key=lambda run: PLACE[run.stage])
    done = sum(run.state in (RunState.DONE, RunState.SKIPPED) for run in runs)
    current = next(
        (run for run in runs if run.state not in (RunState.DONE, RunState.SKIPPED)), None
    )
    document = job.document
    is_final = document.status in FINAL
    return {
        "id": str(job.id),
        "document": str(document.id),
        "status": document.status,
        "stage": current.stage if current and not is_final else None,
        "progress": 100 if is_final else 100 * done // len(runs),
        "position": _position(current) if current and not is_final else None,
        "eta_seconds": None,
        "attempts": sum(run.attempt for run in runs),
        "error": failure(document.error_code, document.error_detail),
    }


def _position(run: StageRun) -> int | None:
    """Return how many runs of the same stage and workspace come before this one."""
    if run.state != RunState.READY:
        return None
    earlier = StageRun.objects.filter(
        stage=run.stage, workspace_id=run.workspace_id, state=RunState.READY
    ).extra(where=["(prio, run_at, id) < (%s, %s, %s)"], params=[run.prio, run.run_at, run.id])
    return earlier.count()
