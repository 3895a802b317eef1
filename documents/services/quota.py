"""A workspace's quota: reserved at registration, used once stored, else given back."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import F, Sum
from django.db.models.functions import Greatest

from documents.errors import QuotaExceededError
from documents.models import Document, Workspace


def reserve(workspace: Workspace, n_bytes: int) -> None:
    """Take `n_bytes` of the quota in one conditional UPDATE, or raise QuotaExceededError."""
    if n_bytes == 0:
        return  # What needs nothing goes into a full workspace too.
    taken = Workspace.objects.filter(
        id=workspace.id, quota_bytes__gte=F("used_bytes") + F("reserved_bytes") + n_bytes
    ).update(reserved_bytes=F("reserved_bytes") + n_bytes)
    if not taken:
        workspace.refresh_from_db(fields=("quota_bytes", "used_bytes", "reserved_bytes"))
        left = left_bytes(workspace)
        raise QuotaExceededError(
            f"These documents need {n_bytes} bytes and the workspace has {left} left "
            f"of {workspace.quota_bytes}.",
            quota_left=left,
        )


def left_bytes(workspace: Workspace) -> int:
    """Return what can still be registered."""
    return max(0, workspace.quota_bytes - workspace.used_bytes - workspace.reserved_bytes)


def release(document_ids: Iterable[UUID]) -> None:
    """Give back what these documents reserved and will not use."""
    _settle(document_ids, used=False)


def use(document_ids: Iterable[UUID]) -> None:
    """Turn what these documents reserved into what they use."""
    _settle(document_ids, used=True)


def give_back(workspace_id: UUID, n_bytes: int) -> None:
    """Return what stored bytes used, once their document is gone."""
    Workspace.objects.filter(id=workspace_id).update(
        used_bytes=Greatest(F("used_bytes") - n_bytes, 0)
    )


def _settle(document_ids: Iterable[UUID], *, used: bool) -> None:
    """Empty the reservations of locked documents; safe to run twice."""
    holding = Document.objects.filter(id__in=list(document_ids), reserved_bytes__gt=0)
    sums = holding.order_by("workspace").values_list("workspace").annotate(n=Sum("reserved_bytes"))
    for workspace_id, n_bytes in list(sums):
        Workspace.objects.filter(id=workspace_id).update(
            reserved_bytes=Greatest(F("reserved_bytes") - n_bytes, 0),
            used_bytes=F("used_bytes") + (n_bytes if used else 0),
        )
    holding.update(reserved_bytes=0)
