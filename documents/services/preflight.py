"""Say before a byte moves what would be taken, what is known, and what is refused."""

from collections.abc import Sequence
from typing import Any

from documents.errors import SluiceError
from documents.models import Batch, Document
from documents.services import quota
from documents.services.uploads import check_path_and_size, check_window


def preflight(batch: Batch, documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the verdict on up to MAX_WINDOW paths with their sizes and hashes; writes nothing."""
    check_window(len(documents))
    hashes = {item["sha256"] for item in documents} - {""}
    # This workspace only: what others store must not show, not even by a known hash.
    known = dict(
        Document.objects.filter(workspace=batch.workspace, sha256__in=hashes)
        .exclude(stored_key="")
        .values_list("sha256", "id")
    )
    refused: list[dict[str, Any]] = []
    duplicates: list[dict[str, Any]] = []
    accepted = 0
    for item in documents:
        try:
            check_path_and_size(batch.workspace, item["path"], item["size"])
        except SluiceError as error:
            refused.append({"path": item["path"], "code": error.code, "detail": error.detail})
            continue
        accepted += 1
        if item["sha256"] in known:
            duplicates.append({"path": item["path"], "duplicate_of": str(known[item["sha256"]])})
    batch.workspace.refresh_from_db()
    return {
        "accepted": accepted,
        "duplicates": duplicates,
        "refused": refused,
        "quota_left": quota.left_bytes(batch.workspace),
    }
