"""Count the documents of a user's workspaces, at most once every few seconds."""

from dataclasses import asdict, dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q
from django.utils import timezone

from documents.selectors import User, documents_for
from documents.states import Status

CACHE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """Documents by how far they are; a duplicate is as far as its original."""

    total: int
    uploaded: int
    processed: int
    embedded: int
    failed: int


def stats_for(user: User) -> dict[str, Any]:
    """Return the counts and the time they were taken, CACHE_SECONDS ago at most."""
    key = f"stats:{user.pk}"
    known: dict[str, Any] | None = cache.get(key)
    if known is None:
        counted_at = timezone.now().isoformat().replace("+00:00", "Z")
        known = {"documents": asdict(count_for(user)), "as_of": counted_at}
        cache.set(key, known, CACHE_SECONDS)
    return known


def count_for(user: User) -> Counts:
    """Count now."""
    documents = documents_for(user)
    own = documents.aggregate(
        total=Count("id"),
        uploaded=Count("uploaded_at"),
        processed=Count("processed_at"),
        embedded=Count("embedded_at"),
        failed=Count("id", filter=Q(status=Status.FAILED)),
    )
    borrowed = documents.filter(duplicate_of__isnull=False).aggregate(
        processed=Count("duplicate_of__processed_at"), embedded=Count("duplicate_of__embedded_at")
    )
    return Counts(**own | {name: own[name] + n for name, n in borrowed.items()})
