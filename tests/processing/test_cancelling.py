"""Cancelled means that nothing of it is seen and nobody writes, wherever it stood; and back."""

from collections.abc import Callable
from typing import Any

import pytest

from documents.errors import LeaseLostError, StorageError
from documents.models import Batch, Document
from documents.services import arrivals, batches
from documents.states import Status
from processing import leases
from processing.models import StageName, StageRun
from processing.pipeline import OF_ALL
from processing.search import search
from processing.selectors import pages_of
from processing.stage import Lease, Write
from tests.factories import make_stored
from tests.processing.books import check_books
from tests.processing.lifecycle import (
    TEXT,
    claim,
    embedded,
    enrich,
    enriched,
    extracted,
    finish,
    fresh,
    learn,
    previewed,
    read,
    show,
    verified,
    verify,
)
from tests.processing.search_library import paths

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedding")]
CONTENT = b"The gate opens at dawn."
AFTER_EXTRACT = (StageName.PREVIEW, StageName.EMBED, StageName.ENRICH)


@pytest.fixture
def document(batch: Batch) -> Document:
    """A document whose bytes are stored, and that nobody completed."""
    return make_stored(batch, CONTENT)


def test_what_arrives_while_it_is_cancelled_stays_cancelled(document: Document, user: Any) -> None:
    batches.cancel(Document.objects.filter(id=document.id), user)

    # Looked at before the cancel, accepted after it.
    arrivals.accept(document.batch, [document.id])

    assert fresh(document).status == Status.CANCELLED
    assert not StageRun.objects.filter(document=document).exists()


def up_to(document: Document, stage: StageName | None) -> None:
    """Take the document to where this stage is ready."""
    if stage is None:
        return
    arrivals.complete(document.batch, [document.id])
    if stage != StageName.VERIFY:
        verify(document, CONTENT)
    if stage in AFTER_EXTRACT:
        read(document, TEXT)


def go_on(document: Document) -> None:
    """Take the document from wherever it is to its end."""
    if fresh(document).status == Status.AWAITING:
        arrivals.complete(document.batch, [document.id])
    steps: dict[str, Callable[[], None]] = {
        StageName.VERIFY: lambda: verify(document, CONTENT),
        StageName.EXTRACT: lambda: read(document, TEXT),
        StageName.PREVIEW: lambda: show(document),
        StageName.EMBED: lambda: learn(document),
        StageName.ENRICH: lambda: enrich(document),
    }
    while run := StageRun.objects.filter(document=document, state="ready").first():
        steps[run.stage]()


def late_write(document: Document, lease: Lease) -> Write:
    if lease.stage == StageName.VERIFY:
        return verified(document, CONTENT)
    if lease.stage == StageName.PREVIEW:
        return previewed()
    if lease.stage == StageName.ENRICH:
        return enriched()
    return extracted(TEXT) if lease.stage == StageName.EXTRACT else embedded([lease])


def check_hidden(document: Document, user: Any) -> None:
    for mode in ("keyword", "semantic"):
        assert paths(search(user, "lantern", mode=mode)) == []
    assert pages_of(fresh(document)) == []
    assert fresh(document).status == Status.CANCELLED


@pytest.mark.parametrize("stage", [None, *StageName])
def test_a_document_that_waits_is_hidden_at_once_and_resumes(
    document: Document, user: Any, stage: StageName | None
) -> None:
    up_to(document, stage)

    batches.cancel(Document.objects.filter(id=document.id), user)

    check_hidden(document, user)
    assert not StageRun.objects.filter(state__in=("ready", "blocked", "leased")).exists()
    check_books()
    batches.resume(Document.objects.filter(id=document.id), user)
    go_on(document)
    assert fresh(document).status == Status.READY
    assert paths(search(user, "lantern")) == [document.path]
    check_books()


@pytest.mark.parametrize("stage", [stage.name for stage in OF_ALL])
def test_who_works_on_a_cancelled_document_changes_nothing_and_it_resumes(
    document: Document, user: Any, stage: StageName
) -> None:
    up_to(document, stage)
    lease = claim(document, stage)
    write = late_write(document, lease)

    batches.cancel(Document.objects.filter(id=document.id), user)
    before = fresh(document).version

    assert leases.still_held([lease]) == set()
    with pytest.raises(LeaseLostError):
        finish(lease, write)
    with pytest.raises(LeaseLostError):
        leases.fail(lease, StorageError())
    leases.hand_back(lease)
    assert leases.reap() == 0
    assert fresh(document).version == before
    assert StageRun.objects.get(id=lease.run_id).state == "cancelled"
    check_hidden(document, user)
    batches.resume(Document.objects.filter(id=document.id), user)
    go_on(document)
    assert fresh(document).status == Status.READY
    check_books()


@pytest.mark.parametrize("stage", [stage.name for stage in OF_ALL])
def test_one_that_waits_for_its_next_try_is_not_tried(
    document: Document, user: Any, stage: StageName
) -> None:
    up_to(document, stage)
    leases.fail(claim(document, stage), StorageError("Storage is away."))

    batches.cancel(Document.objects.filter(id=document.id), user)

    check_hidden(document, user)
    assert not StageRun.objects.filter(state="ready").exists()
    batches.resume(Document.objects.filter(id=document.id), user)
    go_on(document)
    assert fresh(document).status == Status.READY
    check_books()
