"""What became of a batch: wait for its end, and tell it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, Q
from django.db.models.functions import Now

from documents import progress
from documents.models import FINISHING, Document
from documents.states import FINAL, Status
from processing.models import Worker

LOOK_SECONDS = 0.5
SEEN_WITHIN = timedelta(seconds=20)
FOUND = (Status.READY, Status.PARTIAL)
AT_WORK = (Status.UPLOADED, Status.PROCESSING)

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that did not become searchable, with the reason a person understands."""

    path: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the documents of a batch stand; `ended` of them came to their end since a time."""

    counts: Counts
    searchable: int
    failed: list[Failure]
    ended: int

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def outcome_of(batch_id: UUID, since: datetime) -> Outcome:
    """Return where the batch stands now, from its documents themselves."""
    documents = Document.objects.filter(batch=batch_id)
    ended = Q(status__in=FINAL, status_changed_at__gte=since)
    failed = documents.filter(status__in=(Status.FAILED, Status.REJECTED)).order_by("path", "id")
    return Outcome(
        counts=counts_of(batch_id),
        searchable=documents.filter(found() | found("duplicate_of__")).count(),
        failed=[Failure(*row) for row in failed.values_list("path", "error_code", "error_detail")],
        ended=documents.filter(ended | FINISHING & Q(embedded_at__gte=since)).count(),
    )


def found(holder: str = "") -> Q:
    """Return who is found: by what it holds itself, or through its original."""
    is_live = {f"{holder}live_generation": F(f"{holder}generation")}
    finishing = Q(**{f"{holder}status": Status.PROCESSING, f"{holder}embedded_at__isnull": False})
    by_itself = Q(**{f"{holder}status__in": FOUND}) | finishing & Q(**is_live)
    return by_itself & Q(status=Status.DUPLICATE) if holder else by_itself


def counts_of(batch_id: UUID) -> Counts:
    """Return how many documents of the batch are in each status that occurs."""
    counts: Counts = progress.recompute(batch_id)["counts"]
    return counts


def standing_of(batch_id: UUID) -> Counts:
    """Return the counts by status, with what only lacks something optional among the ready."""
    rows = Document.objects.filter(batch=batch_id).order_by().values_list("status")
    counts: Counter[str] = Counter()
    for status, n, finishing in rows.annotate(
        n=Count("id"), finishing=Count("id", filter=FINISHING)
    ):
        counts[status] += n - finishing
        counts[Status.READY] += finishing
    return {status: n for status, n in counts.items() if n}


def wait(batch_id: UUID, timeout_seconds: float | None, tell: Callable[[Counts], None]) -> bool:
    """Look until nothing of the batch is on its way any more; False if the time is over first.

    `tell` gets the counts of every look. Documents whose bytes never came are
    not waited for, nor is what is optional.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        counts = standing_of(batch_id)
        tell(counts)
        if not any(counts.get(status) for status in AT_WORK):
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)


def is_alive(kind: Worker.Kind) -> bool:
    """Tell whether a worker, or a conductor that leads, has been seen just now."""
    recent = Worker.objects.filter(kind=kind, stopped_at=None, seen_at__gt=Now() - SEEN_WITHIN)
    if kind == Worker.Kind.CONDUCTOR:
        recent = recent.filter(is_leader=True)
    return recent.exists()
