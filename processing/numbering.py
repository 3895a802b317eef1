"""Number events per stream, without gaps, and fold them into the projections.

Only the leading conductor does this. A transaction that commits late simply
gets a later number: readers never see a number before its smaller ones.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from documents import faults, progress
from documents.models import Event, Stream

AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Advance:
    """What one step did to one stream; events as clients read them."""

    stream: str
    came_from: int
    to: int
    events: list[dict[str, Any]]
    state: dict[str, Any]


@transaction.atomic
def number_events() -> list[Advance]:
    """Number what is unnumbered and fold it, both in one transaction."""
    fresh = list(Event.objects.filter(number=None).order_by("id").select_for_update()[:AT_ONCE])
    if not fresh:
        return []
    by_stream: dict[str, list[Event]] = defaultdict(list)
    for event in fresh:
        by_stream[event.stream].append(event)
    streams = _locked(by_stream)
    advances = [_advance(streams[name], events) for name, events in by_stream.items()]
    _write_numbers(fresh)
    Stream.objects.bulk_update(streams.values(), ("number", "state", "updated_at"))
    faults.point("number.before_commit")
    return advances


def _locked(names: Iterable[str]) -> dict[str, Stream]:
    """Return the streams, made if need be, locked in name order."""
    names = sorted(names)
    Stream.objects.bulk_create((Stream(name=name) for name in names), ignore_conflicts=True)
    rows = Stream.objects.filter(name__in=names).order_by("name").select_for_update()
    return {stream.name: stream for stream in rows}


def _advance(stream: Stream, events: list[Event]) -> Advance:
    came_from = stream.number
    for event in events:
        stream.number += 1
        event.number = stream.number
        progress.fold(stream.state, event.kind, event.payload, event.created_at)
    stream.updated_at = timezone.now()
    told = [{"seq": event.number, "kind": event.kind, **event.payload} for event in events]
    return Advance(stream.name, came_from, stream.number, told, stream.state)


def _write_numbers(events: list[Event]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update documents_event e set number = v.number "
            "from unnest(%s::bigint[], %s::bigint[]) as v (id, number) where e.id = v.id",
            [[event.id for event in events], [event.number for event in events]],
        )
