"""What was read of a document anew, beside what was read before: show it, take the old away."""

from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from documents import events, faults
from documents.models import Document
from processing.models import IngestJob

# What one step of pruning takes away: a transaction of well under a second.
JOBS_AT_ONCE = 20
ROWS_AT_ONCE = 2_000
PRUNED = (
    *("processing_chunk", "processing_pagetext", "processing_scanslice"),
    *("processing_entity", "processing_imagevector"),
)


def describe(document: Document, description: dict[str, Any]) -> None:
    """Note what extract found of a generation that is not live yet; it is shown with it."""
    current = IngestJob.objects.filter(document=document, generation=document.generation)
    current.update(described=description)


def reuse_vectors(document: Document) -> None:
    """Give new chunks the vectors of live ones with the same words; embed takes no others."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_chunk c set embedding = o.embedding, model = o.model
            from processing_chunk o
            where c.document_id = %(id)s and c.generation = %(generation)s
              and o.document_id = %(id)s and o.generation = %(live)s
              and o.heading = c.heading and o.text = c.text and o.embedding is not null
            """,
            {
                "id": document.id,
                "generation": document.generation,
                "live": document.live_generation,
            },
        )


def go_live(document: Document) -> None:
    """Show the current generation from now on: one UPDATE, in the transaction that embeds it.

    The document is searchable; it ends when nothing optional is open any more.
    """
    fields: dict[str, Any] = {"embedded_at": Now()}
    if document.live_generation != document.generation:
        job = IngestJob.objects.get(document=document, generation=document.generation)
        fields |= {"processed_at": Now(), "live_generation": document.generation, **job.described}
        older = IngestJob.objects.filter(document=document, generation__lt=document.generation)
        older.update(is_stale=True)
    Document.objects.filter(id=document.id).update(version=F("version") + 1, **fields)
    events.append(
        events.batch_stream(document.batch_id),
        "searchable",
        {
            "documents": [str(document.id)],
            "n": 1,
            "gained_vectors": int(document.embedded_at is None),
        },
    )
    faults.point("flip.before_commit")


def prune() -> int:
    """Remove what was read of generations that nothing shows; return how many rows.

    In bounded steps, each a transaction of its own; nothing writes to such a generation,
    so it may stop anywhere and go on later. Ledgers stay.
    """
    stale = IngestJob.objects.filter(is_stale=True).order_by("created_at", "id")[:JOBS_AT_ONCE]
    return sum(_prune(job) for job in stale)


@transaction.atomic
def _prune(job: IngestJob) -> int:
    removed = 0
    for table in PRUNED:
        removed += _remove_some(table, job, ROWS_AT_ONCE - removed)
    if removed < ROWS_AT_ONCE:
        IngestJob.objects.filter(id=job.id).update(is_stale=False)
    return removed


def _remove_some(table: str, job: IngestJob, n: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"delete from {table} where id in (select id from {table}"  # noqa: S608 - ours
            " where document_id = %s and generation = %s order by id limit %s)",
            [job.document_id, job.generation, n],
        )
        return int(cursor.rowcount)
