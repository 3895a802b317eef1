"""The one way a document changes its state."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.db import transaction

from documents import events
from documents.models import Document, DocumentQuerySet
from documents.states import Status, sources


@transaction.atomic
def move(queryset: DocumentQuerySet, to: Status, **fields: Any) -> list[UUID]:
    """Move every document of `queryset` that may become `to`; return those that moved.

    The rows are locked in id order, moved by one conditional UPDATE, and told
    about in the same transaction: one event per batch and state they came from.
    A document that is missing from the answer was moved by somebody else first.
    """
    rows = list(
        queryset.filter(status__in=sources(to))
        .order_by("id")
        .select_for_update(of=("self",), no_key=True)
        .values_list("id", "batch_id", "status", "processed_at")
    )
    if not rows:
        return []
    ids = [row[0] for row in rows]
    moved = Document.objects.filter(id__in=ids).transition(to, **fields)
    if moved != len(ids):
        raise RuntimeError(f"{len(ids)} documents were locked but {moved} moved to {to}")
    groups: dict[tuple[UUID, str], list[tuple[UUID, bool]]] = defaultdict(list)
    for document_id, batch_id, status, processed_at in rows:
        groups[batch_id, status].append((document_id, processed_at is not None))
    for (batch_id, came_from), members in groups.items():
        announce(batch_id, came_from, to, members)
    return ids


def announce(
    batch_id: UUID, came_from: str | None, to: Status, members: list[tuple[UUID, bool]]
) -> None:
    """Append the event of a move; `members` are ids and whether their text is searchable."""
    events.append(
        events.batch_stream(batch_id),
        "documents",
        {
            "from": came_from,
            "to": to.value,
            "documents": [str(document_id) for document_id, _ in members],
            "with_text": sum(has_text for _, has_text in members),
        },
    )
