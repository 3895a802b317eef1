"""Fold a batch's events into its progress, and show it in the API's words.

State: {"counts": {status: n}, "with_text": {status: n}, "finished": [[epoch, n], …]}.
Counts add up, so the order in which events are numbered does not matter.
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
        _add(state, "with_text", Status.PROCESSING, len(payload["documents"]))


def _fold_move(state: State, payload: dict[str, Any], at: datetime) -> None:
    moved, with_text = len(payload["documents"]), payload["with_text"]
    if payload["from"] is not None:
        _add(state, "counts", payload["from"], -moved)
        _add(state, "with_text", payload["from"], -with_text)
    _add(state, "counts", payload["to"], moved)
    _add(state, "with_text", payload["to"], with_text)
    if payload["to"] in FINAL and payload["from"] not in (None, Status.AWAITING):
        _count_finished(state, moved, at)


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
        .annotate(n=Count("id"), text=Count("id", filter=Q(processed_at__isnull=False)))
    )
    state: State = {"counts": {}, "with_text": {}}
    for status, n, text in rows:
        state["counts"][status] = n
        state["with_text"][status] = text
    return state


def shown(state: State, number: int, now: datetime) -> dict[str, Any]:
    """Return the Progress object of the API for a folded state."""
    counts: Counter[str] = Counter(state.get("counts", {}))
    total = sum(counts.values())
    lost = sum(counts[status] for status in LOST)
    refused = counts[Status.FAILED] + counts[Status.REJECTED]
    found = counts[Status.READY] + counts[Status.PARTIAL] + counts[Status.DUPLICATE]
    with_text = state.get("with_text", {}).get(Status.PROCESSING.value, 0)
    rate, eta = _estimate(state, counts, now)
    return {
        "seq": number,
        "total": total,
        "counts": {SHOWN[status.value]: counts[status.value] for status in Status},
        "phases": {
            "uploading": [total - lost - counts[Status.AWAITING], total - lost],
            "processing": [found + refused + with_text, total - lost],
            "searchable": [found, total - lost - refused],
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
    there is none while uploads are open or too few documents have finished.
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
