"""Append what happened; the conductor numbers and relays it."""

from typing import Any
from uuid import UUID

from django.db import transaction

from documents.models import Event


def batch_stream(batch_id: UUID) -> str:
    """Return the name of the stream that tells a batch's story."""
    return f"batch:{batch_id}"


def append(stream: str, kind: str, payload: dict[str, Any]) -> None:
    """Append one event in the transaction that made it true.

    Raises RuntimeError outside a transaction: an event without its change, or
    a change without its event, would make projections drift for ever.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs into the transaction that made it true")
    Event.objects.create(stream=stream, kind=kind, payload=payload)
