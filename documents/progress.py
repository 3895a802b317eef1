"""Fold a batch's events into its progress, and show it in the API's words.

State: {"counts": {status: n}, "with_text": {status: n}, "with_vectors": {"processing": n},
"finished": [[epoch, n], …]}. Counts add up, so the order in which events are numbered
does not matter. Who is processing with vectors is found already: only something optional is
left to do, or it is being read anew and found as it was.
"""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from documents.models import Document
from documents.states import FINAL, Status

State = dict[str, Any]
BUCKET_SECONDS = 10
WINDOW_SECONDS = 120
# A rate from fewer documents than this would be noise, not an estimate.
MINIMUM_FINISHED = 10

LOST = (Status.EXPIRED, Status.CANCELLED)
SHOWN = {status.value: status.value for status in Status} | {Status.READY.value: "searchable"}


def fold(state: State, kind: str, payload: dict[str, Any], at: datetime) -> None:
    """Apply one event to `state`, in place."""
    if kind == "documents":
        _fold_move(state, payload, at)
    elif kind == "processed":
        _add(state, "with_text", Status.PROCESSING, _size(payload))
    elif kind == "searchable":
        _add(state, "with_vectors", Status.PROCESSING, payload["gained_vectors"])
        _count_finished(state, _size(payload), at)
    elif kind == "deleted":
        _leave(state, payload["from"], payload)


def _fold_move(state: State, payload: dict[str, Any], at: datetime) -> None:
    came_from, to = payload["from"], payload["to"]
    if came_from is not None:
        _leave(state, came_from, payload)
    _add(state, "counts", to, _size(payload))
    _add(state, "with_text", to, payload["with_text"] + payload.get("gained_text", 0))
    if to == Status.PROCESSING:
        with_vectors = payload.get("with_vectors", 0) + payload.get("gained_vectors", 0)
        _add(state, "with_vectors", to, with_vectors)
    if to in FINAL and came_from in (Status.UPLOADED, Status.PROCESSING):
        # What can be found was counted when it could be.
        is_found = to in (Status.READY, Status.PARTIAL)
        n = payload.get("gained_vectors", 0) if is_found else _size(payload)
        if n:
            _count_finished(state, n, at)


def _leave(state: State, came_from: str, payload: dict[str, Any]) -> None:
    _add(state, "counts", came_from, -_size(payload))
    _add(state, "with_text", came_from, -payload["with_text"])
    if came_from == Status.PROCESSING:
        _add(state, "with_vectors", came_from, -payload.get("with_vectors", 0))


def _size(payload: dict[str, Any]) -> int:
    """Return how many documents an event is about; ids of deleted ones were taken out of it."""
    n: int = payload["n"] if "n" in payload else len(payload["documents"])
    return n


def _add(state: State, name: str, status: str, n: int) -> None:
    counts = state.setdefault(name, {})
    counts[str(status)] = counts.get(str(status), 0) + n


def _count_finished(state: State, n: int, at: datetime) -> None:
    bucket = int(at.timestamp()) // BUCKET_SECONDS * BUCKET_SECONDS
    buckets = dict(state.get("finished", []))
    buckets[bucket] = buckets.get(bucket, 0) + n
    newest = max(buckets)
    state["finished"] = sorted(
        [start, count] for start, count in buckets.items() if start > newest - WINDOW_SECONDS
    )


def recompute(batch_id: UUID) -> State:
    """Count the documents themselves; equal to the folded state when nothing drifted."""
    rows = (
        Document.objects.filter(batch=batch_id)
        .order_by()
        .values_list("status")
        .annotate(
            n=Count("id"),
            text=Count("id", filter=Q(processed_at__isnull=False)),
            vectors=Count("id", filter=Q(embedded_at__isnull=False)),
        )
    )
    state: State = {"counts": {}, "with_text": {}, "with_vectors": {}}
    for status, n, text, vectors in rows:
        state["counts"][status] = n
        state["with_text"][status] = text
        if status == Status.PROCESSING:
            state["with_vectors"][status] = vectors
    return state


def shown(state: State, number: int, now: datetime) -> dict[str, Any]:
    """Return the Progress object of the API for a folded state."""
    counts: Counter[str] = Counter(state.get("counts", {}))
    total = sum(counts.values())
    lost = sum(counts[status] for status in LOST)
    refused = counts[Status.FAILED] + counts[Status.REJECTED]
    found = counts[Status.READY] + counts[Status.PARTIAL] + counts[Status.DUPLICATE]
    with_text = state.get("with_text", {}).get(Status.PROCESSING.value, 0)
    # Found while something optional is done, or as they were read before.
    found_already = state.get("with_vectors", {}).get(Status.PROCESSING.value, 0)
    shown_counts = Counter(counts)
    shown_counts[Status.READY] = counts[Status.READY] + found_already
    shown_counts[Status.PROCESSING] = counts[Status.PROCESSING] - found_already
    rate, eta = _estimate(state, shown_counts, now)
    return {
        "seq": number,
        "total": total,
        "counts": {SHOWN[status.value]: shown_counts[status.value] for status in Status},
        "phases": {
            "uploading": [total - lost - counts[Status.AWAITING], total - lost],
            "processing": [found + refused + with_text, total - lost],
            "searchable": [found + found_already, total - lost - refused],
        },
        "documents_per_minute": rate,
        "position": None,
        "eta_seconds": eta,
        "as_of": now.isoformat().replace("+00:00", "Z"),
    }


def _estimate(
    state: State, counts: Counter[str], now: datetime
) -> tuple[float | None, list[int] | None]:
    """Return documents per minute and the range of seconds left, or None for either.

    The range comes from the slower and the faster half of the recent buckets;
    there is none while uploads are open or too few documents have become searchable.
    """
    buckets = [
        (start, n)
        for start, n in state.get("finished", [])
        if start > now.timestamp() - WINDOW_SECONDS
    ]
    finished = sum(n for _, n in buckets)
    if finished < MINIMUM_FINISHED:
        return None, None
    elapsed = max(now.timestamp() - buckets[0][0], BUCKET_SECONDS)
    rate = finished / elapsed
    left = counts[Status.UPLOADED] + counts[Status.PROCESSING]
    if not left or counts[Status.AWAITING]:
        return round(rate * 60, 1), None
    fastest = max(n for _, n in buckets) / BUCKET_SECONDS
    low, high = left / max(fastest, rate), 2 * left / rate
    return round(rate * 60, 1), [int(low), int(high) + 1]
