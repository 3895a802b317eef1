"""Take dropped archives through their stages by hand, and look at what came of them."""

from pathlib import Path
from uuid import uuid4

import pytest

from documents import faults
from documents.errors import SluiceError
from documents.models import Batch, Document
from processing import leases
from processing.models import PageText, StageName
from processing.pipeline import following, get_stage
from processing.stage import Aside, Held, Lease, Result
from tests.processing.lifecycle import arrived, claim, due, fresh

TWO = {"a.txt": b"the first document", "sub/b.txt": b"the second document"}


def dropped(batch: Batch, content: bytes, path: str = "drop/two.zip") -> Document:
    """Return an archive that verify has taken in."""
    document = arrived(batch, content, path)
    return verified(document)


def verified(document: Document) -> Document:
    result = work(claim(document, StageName.VERIFY))
    assert result is None, result
    return fresh(document)


def work(lease: Lease) -> SluiceError | None:
    """Do what a worker does with one lease; return how it failed, if it did."""
    ((_, result),) = list(get_stage(lease.stage).run([Held(lease)]))
    return settle(lease, result)


def settle(lease: Lease, result: Result) -> SluiceError | None:
    if isinstance(result, SluiceError):
        leases.fail(lease, result)
        return result
    assert not isinstance(result, Aside)
    leases.finish(lease, result, following(lease.stage))
    return None


def claim_extract(document: Document) -> Lease:
    """Claim this archive's run, and leave the others as they are."""
    due()
    leased = leases.claim(get_stage(StageName.EXTRACT), uuid4(), limit=50)
    leased += leases.claim(get_stage(StageName.EXTRACT), uuid4(), limit=50, quarantine=True)
    for lease in leased:
        if lease.document_id != document.id:
            leases.hand_back(lease)
    return next(lease for lease in leased if lease.document_id == document.id)


def unpack(document: Document) -> SluiceError | None:
    return work(claim_extract(document))


def members_of(document: Document) -> dict[str, Document]:
    rows = Document.objects.filter(batch=document.batch).exclude(id=document.id)
    return {row.path: row for row in rows.order_by("path", "id")}


def text_of(document: Document) -> str:
    pages = PageText.objects.filter(document=document).order_by("number")
    return "\n".join(page.text for page in pages)


def break_off(
    document: Document, point: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """Have an attempt at unpacking end at this point of the code, and its lease handed back."""
    lease = claim_extract(document)
    monkeypatch.setattr(faults, "_folder", str(folder))
    (folder / point).write_text("raise")

    with pytest.raises(faults.FaultError):
        work(lease)
    # As the reaper does with what a killed worker held.
    leases.hand_back(lease)
