"""What an intake did or would do, as text and as JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from documents.folders import LeftOut, Refused
from documents.models import Batch
from documents.services.delivery import Taken
from documents.services.rehearsal import Rehearsal
from documents.states import Status
from processing.outcome import Failure, Outcome

SHOWN = 50


@dataclass(slots=True)
class Receipt:
    """What one run did."""

    started_at: datetime
    sent: int = 0
    known: int = 0
    left_out: int = 0
    refused: list[Failure] = field(default_factory=list)

    def note(self, entry: Taken | Refused | LeftOut) -> None:
        """Count what became of one entry."""
        if isinstance(entry, Refused):
            self.refused.append(_failure(entry))
        elif isinstance(entry, LeftOut):
            self.left_out += 1
        elif entry.sent:
            self.sent += 1
        else:
            self.known += 1


def as_json(batch: Batch, receipt: Receipt, outcome: Outcome) -> str:
    """Return the run and the batch as one JSON object."""
    seconds = _seconds(receipt)
    return _dumped(
        {
            "batch": str(batch.id),
            "workspace": str(batch.workspace_id),
            "total": outcome.total,
            "counts": {status.value: outcome.counts.get(status, 0) for status in Status},
            "searchable": outcome.searchable,
            "sent": receipt.sent,
            "known": receipt.known,
            "left_out": receipt.left_out,
            "refused": [asdict(failure) for failure in receipt.refused],
            "failed": [asdict(failure) for failure in outcome.failed],
            "seconds": round(seconds, 2),
            "documents_per_minute": round(60 * outcome.ended / seconds, 1),
        }
    )


def as_text(batch: Batch, receipt: Receipt, outcome: Outcome) -> str:
    """Return the run and the batch for a person."""
    states = ", ".join(f"{n} {status}" for status, n in sorted(outcome.counts.items()) if n)
    lines = [
        f"Batch {batch.id} in {batch.workspace.name}: {outcome.total} documents.",
        f"{receipt.sent} sent in {_seconds(receipt):.1f} s, {receipt.known} were known, "
        f"{receipt.left_out} left out, {len(receipt.refused)} refused.",
        f"{outcome.searchable} searchable. Now: {states or 'nothing'}.",
    ]
    return "\n".join([*lines, *_reasons([*receipt.refused, *outcome.failed])])


def rehearsal_json(rehearsal: Rehearsal, receipt: Receipt) -> str:
    """Return what would happen as one JSON object."""
    return _dumped(
        {
            "dry_run": True,
            "would_send": rehearsal.documents,
            "bytes": rehearsal.bytes,
            "duplicates": rehearsal.duplicates,
            "known": rehearsal.known,
            "left_out": receipt.left_out,
            "quota_left": rehearsal.quota_left,
            "refused": [asdict(failure) for failure in _all_refused(rehearsal, receipt)],
        }
    )


def rehearsal_text(rehearsal: Rehearsal, receipt: Receipt) -> str:
    """Return what would happen for a person."""
    refused = _all_refused(rehearsal, receipt)
    lines = [
        f"Would send {rehearsal.documents} documents of {rehearsal.bytes} bytes; "
        f"{rehearsal.quota_left} bytes of the quota are left.",
        f"{rehearsal.duplicates} are duplicates, {rehearsal.known} are known, "
        f"{receipt.left_out} left out, {len(refused)} refused.",
    ]
    return "\n".join([*lines, *_reasons(refused)])


def _all_refused(rehearsal: Rehearsal, receipt: Receipt) -> list[Failure]:
    return [*receipt.refused, *map(_failure, rehearsal.refused)]


def _reasons(failures: list[Failure]) -> Iterable[str]:
    for failure in failures[:SHOWN]:
        yield f"  {failure.path}: {failure.detail} ({failure.code})"
    if len(failures) > SHOWN:
        yield f"  and {len(failures) - SHOWN} more; --json lists all."


def _failure(refused: Refused) -> Failure:
    return Failure(refused.path, refused.error.code, refused.error.detail)


def _seconds(receipt: Receipt) -> float:
    return max((timezone.now() - receipt.started_at).total_seconds(), 0.001)


def _dumped(body: dict[str, Any]) -> str:
    return json.dumps(body, indent=2)
