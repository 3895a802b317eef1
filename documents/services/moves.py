"""The one way a document changes its state."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from documents import events
from documents.models import Document, DocumentQuerySet
from documents.states import Status, sources


@dataclass(frozen=True, slots=True)
class Member:
    """A document of a move: whether its words and its meaning can be searched, before and after."""

    id: UUID
    had_text: bool = False
    has_text: bool = False
    had_vectors: bool = False
    has_vectors: bool = False


# Within a transaction it is part of that: a savepoint would cost each upload two round trips.
@transaction.atomic(savepoint=False)
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
        .values_list("id", "batch_id", "status", "processed_at", "embedded_at")
    )
    if not rows:
        return []
    ids = [row[0] for row in rows]
    moved = Document.objects.filter(id__in=ids).transition(to, **fields)
    if moved != len(ids):
        raise RuntimeError(f"{len(ids)} documents were locked but {moved} moved to {to}")
    groups: dict[tuple[UUID, str], list[Member]] = defaultdict(list)
    for document_id, batch_id, status, processed_at, embedded_at in rows:
        groups[batch_id, status].append(
            Member(
                document_id,
                had_text=processed_at is not None,
                has_text=fields.get("processed_at", processed_at) is not None,
                had_vectors=embedded_at is not None,
                has_vectors=fields.get("embedded_at", embedded_at) is not None,
            )
        )
    for (batch_id, came_from), members in groups.items():
        announce(batch_id, came_from, to, members)
    return ids


def announce(batch_id: UUID, came_from: str | None, to: Status, members: Sequence[Member]) -> None:
    """Append the event of a move: how many could be searched before, and how many more can now.

    `n` counts the documents: their ids are taken out when they are deleted.
    """
    with_text = sum(member.had_text for member in members)
    with_vectors = sum(member.had_vectors for member in members)
    events.append(
        events.batch_stream(batch_id),
        "documents",
        {
            "from": came_from,
            "to": to.value,
            "documents": [str(member.id) for member in members],
            "n": len(members),
            "with_text": with_text,
            "gained_text": sum(member.has_text for member in members) - with_text,
            "with_vectors": with_vectors,
            "gained_vectors": sum(member.has_vectors for member in members) - with_vectors,
        },
    )
