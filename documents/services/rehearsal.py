"""Say what an intake would do, without doing it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from documents.errors import SluiceError
from documents.folders import Found, Refused
from documents.models import Batch
from documents.services import quota
from documents.services.intake import Declared, declare
from documents.services.uploads import check_path_and_size, originals


@dataclass(slots=True)
class Rehearsal:
    """What would be sent, what is there, and what would be refused."""

    documents: int = 0
    bytes: int = 0
    duplicates: int = 0
    known: int = 0
    quota_left: int = 0
    refused: list[Refused] = field(default_factory=list)


def rehearse(batch: Batch, documents: Iterable[Found]) -> Rehearsal:
    """Look, hash and compare; `batch` may be one that is not saved."""
    rehearsal = Rehearsal(quota_left=quota.left_bytes(batch.workspace))
    for window in declare(batch, documents):
        rehearsal.refused += [entry for entry in window if isinstance(entry, Refused)]
        _judge(batch, [entry for entry in window if isinstance(entry, Declared)], rehearsal)
    return rehearsal


def _judge(batch: Batch, window: list[Declared], rehearsal: Rehearsal) -> None:
    stored = originals(batch.workspace, [each.declaration for each in window])
    for each in window:
        try:
            check_path_and_size(batch.workspace, each.found.path, each.found.size)
        except SluiceError as error:
            rehearsal.refused.append(Refused(each.found.path, error))
            continue
        if each.known is not None:
            rehearsal.known += 1
        elif each.declaration.sha256 in stored:
            rehearsal.duplicates += 1
        else:
            rehearsal.documents += 1
            rehearsal.bytes += each.found.size
