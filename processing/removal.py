"""Take away, or hand on, what processing made of documents. Called by the signals of documents."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection
from django.db.models import F

from documents.models import Document
from documents.services.succession import renamed
from processing import jobs
from processing.models import (
    Chunk,
    Entity,
    ImageVector,
    IngestJob,
    PageText,
    RunState,
    ScanSlice,
    StageAttempt,
    StageName,
    StageRun,
)
from processing.tasks import ring_after_commit


def forget(document_ids: Iterable[UUID]) -> None:
    """Remove every row about documents that are deleted, and so the work on them.

    Whoever works on one finds its token gone at the next look, ends the child and
    finds no row to write to.
    """
    ids = list(document_ids)
    runs = jobs.lock_runs(StageRun.objects.filter(document_id__in=ids))
    StageAttempt.objects.filter(run_id__in=runs).delete()
    StageRun.objects.filter(id__in=runs).delete()
    for model in (IngestJob, Chunk, PageText, Entity, ImageVector, ScanSlice):
        model.objects.filter(document_id__in=ids).delete()
    _forget_in_heartbeats(ids)


def _forget_in_heartbeats(document_ids: list[UUID]) -> None:
    """Take documents out of what workers say they hold; a killed one never says anything else."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_worker w set current = coalesce((
              select jsonb_agg(held) from jsonb_array_elements(w.current) held
              where not held->>'document' = any(%(ids)s)), '[]'::jsonb)
            where exists (select from jsonb_array_elements(w.current) held
                          where held->>'document' = any(%(ids)s))
            """,
            {"ids": [str(document_id) for document_id in document_ids]},
        )


def hand_on(original: Document, heir: Document) -> None:
    """Make jobs, runs, text and vectors of a document those of its heir, generations shifted.

    Nobody's result is accepted any more: what was being worked on is ready again, uncharged.
    """
    _take_back(original)
    # Their generation is counted from the heir's own, as its new one was.
    shift = F("generation") + heir.generation
    for model in (IngestJob, StageRun, PageText, Chunk, Entity, ImageVector, ScanSlice):
        rows = model.objects.filter(document=original)
        rows.update(document=heir, generation=shift)
    _rename(original, heir)
    for stage in StageName:
        ring_after_commit(stage)


def _take_back(original: Document) -> None:
    held = StageRun.objects.filter(document=original, state=RunState.LEASED)
    run_ids = jobs.lock_runs(held)
    StageAttempt.objects.filter(run_id__in=run_ids, ended_at=None).update(
        **jobs.ended(StageAttempt.Outcome.RETURNED)
    )
    StageRun.objects.filter(id__in=run_ids).update(
        state=RunState.READY, attempt=F("attempt") - 1, **jobs.UNLEASED
    )


def _rename(original: Document, heir: Document) -> None:
    """Have sentences of the ledger name the heir: the original may be about to be deleted."""
    runs = list(StageRun.objects.filter(document=heir, error_text__contains=original.name))
    attempts = list(
        StageAttempt.objects.filter(run__document=heir, error_text__contains=original.name)
    )
    for run in runs:
        run.error_text = renamed(run.error_text, original, heir)
    for attempt in attempts:
        attempt.error_text = renamed(attempt.error_text, original, heir)
    StageRun.objects.bulk_update(runs, ("error_text",))
    StageAttempt.objects.bulk_update(attempts, ("error_text",))
