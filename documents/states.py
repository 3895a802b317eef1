"""What states a document can be in, and which moves between them are legal."""

from collections.abc import Iterable

from django.db.models import TextChoices


class Status(TextChoices):
    AWAITING = "awaiting", "Waiting for its bytes"
    UPLOADED = "uploaded", "Uploaded"
    PROCESSING = "processing", "Processing"
    READY = "ready", "Ready"
    PARTIAL = "partial", "Ready, in part"
    FAILED = "failed", "Failed"
    DUPLICATE = "duplicate", "Duplicate"
    REJECTED = "rejected", "Rejected"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.AWAITING: frozenset(
        {
            Status.UPLOADED,
            # Its hash was declared later, and these bytes are stored.
            Status.DUPLICATE,
            Status.EXPIRED,
            Status.CANCELLED,
        }
    ),
    Status.UPLOADED: frozenset(
        {
            Status.PROCESSING,
            Status.REJECTED,
            Status.DUPLICATE,
            Status.CANCELLED,
            # Storage stayed away through every attempt of verify.
            Status.FAILED,
        }
    ),
    Status.PROCESSING: frozenset({Status.READY, Status.PARTIAL, Status.FAILED, Status.CANCELLED}),
    # FAILED is no end: a retry opens it again, and the ledger keeps every attempt.
    # It goes back to UPLOADED when verify itself was what failed.
    Status.FAILED: frozenset({Status.PROCESSING, Status.UPLOADED}),
    Status.PARTIAL: frozenset({Status.PROCESSING}),
    # Read anew; what was read before is searched until the new reading is complete.
    Status.READY: frozenset({Status.PROCESSING}),
    # Its original was deleted or cancelled: it takes over what the original was, or ends with it.
    Status.DUPLICATE: frozenset(
        {Status.PROCESSING, Status.READY, Status.PARTIAL, Status.FAILED, Status.CANCELLED}
    ),
    Status.REJECTED: frozenset(),
    # A cancelled batch can be resumed from wherever its documents stood.
    Status.CANCELLED: frozenset(
        {Status.AWAITING, Status.UPLOADED, Status.PROCESSING, Status.DUPLICATE}
    ),
    Status.EXPIRED: frozenset({Status.AWAITING}),
}

# Nothing more happens to a document in one of these by itself.
FINAL: frozenset[Status] = frozenset(
    {
        Status.READY,
        Status.PARTIAL,
        Status.FAILED,
        Status.DUPLICATE,
        Status.REJECTED,
        Status.CANCELLED,
        Status.EXPIRED,
    }
)
ACTIVE: frozenset[Status] = frozenset(Status) - FINAL


def sources(to: Status) -> list[Status]:
    """Return every state from which a document may become `to`."""
    return [status for status, targets in TRANSITIONS.items() if to in targets]


def values(statuses: Iterable[Status]) -> list[str]:
    """Return the stored values, for SQL written by hand."""
    return [status.value for status in statuses]
