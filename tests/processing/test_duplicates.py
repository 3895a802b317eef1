"""Equal documents: who has the bytes, and what of them goes or stays with the original."""

from pathlib import Path
from typing import Any

import pytest

from documents.errors import LeaseLostError
from documents.models import Batch, Disposal, Document, Workspace
from documents.services import batches, disposal
from documents.services.uploads import Declaration, register
from documents.states import Status
from processing.models import StageAttempt, StageName, StageRun
from processing.selectors import pages_of
from tests.factories import make_batch
from tests.processing import remains
from tests.processing.books import check_books
from tests.processing.lifecycle import (
    TEXT,
    adorn,
    arrived,
    claim,
    extracted,
    finish,
    fresh,
    learn,
    read,
    ready,
    verified,
    verify,
)
from tests.processing.remains import (
    CONTENT,
    MARKER,
    PATH,
    WORD,
    Commit,
    delete,
    found,
    objects_with,
    places_of,
)

pytestmark = pytest.mark.django_db
model = remains.model
root = remains.root


def copy_of(document: Document, path: str) -> Document:
    """Register the bytes of a document again, in another batch."""
    batch = make_batch(document.workspace)
    declared = Declaration(path, path, document.size, document.sha256)
    (upload,) = register(batch, [declared]).uploads
    assert upload.document.status == Status.DUPLICATE
    return upload.document


def test_the_oldest_duplicate_takes_the_place_of_a_deleted_original(
    batch: Batch, user: Any, root: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    original = ready(batch, CONTENT, f"The {WORD} gate.", PATH)
    StageAttempt.objects.update(error_text=f"{original.name} was slow.")
    oldest, younger = copy_of(original, "b.txt"), copy_of(original, "c.txt")

    delete(original, user, django_capture_on_commit_callbacks)

    heir = fresh(oldest)
    assert (heir.status, heir.stored_key) == (Status.READY, original.stored_key)
    assert fresh(younger).duplicate_of_id == heir.id
    assert found(user, WORD) == ["b.txt"]
    assert [page.text for page in pages_of(fresh(younger))] == [f"The {WORD} gate."]
    assert len(objects_with(root, MARKER)) == 1
    # The bytes keep the key they were stored under; everything else forgot the original.
    disposal_done()
    assert places_of(str(original.id)) == {
        "documents_auditentry.details",
        "documents_document.stored_key",
    }
    assert places_of(PATH, "kumquat") == set()
    assert set(StageAttempt.objects.values_list("error_text", flat=True)) == {"b.txt was slow."}
    check_books()


def disposal_done() -> None:
    Disposal.objects.update(until="2020-01-01T00:00Z", due_at="2020-01-01T00:00Z")
    disposal.work_off()


def test_the_last_of_equal_documents_takes_the_bytes_along(
    batch: Batch, user: Any, root: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    original = ready(batch, CONTENT)
    heir = copy_of(original, "b.txt")

    delete(original, user, django_capture_on_commit_callbacks)
    delete(heir, user, django_capture_on_commit_callbacks)

    assert objects_with(root, MARKER) == []
    assert Workspace.objects.get().used_bytes == 0
    check_books()


def test_work_on_a_deleted_original_goes_on_for_its_duplicate(
    batch: Batch, user: Any, django_capture_on_commit_callbacks: Commit
) -> None:
    original = arrived(batch, CONTENT)
    verify(original, CONTENT)
    heir = copy_of(fresh(original), "b.txt")
    late = claim(original, StageName.EXTRACT)

    delete(original, user, django_capture_on_commit_callbacks)

    with pytest.raises(LeaseLostError):
        finish(late, extracted(TEXT))
    read(heir, TEXT)
    adorn(heir)
    learn(heir)
    assert fresh(heir).status == Status.READY
    assert found(user, "lantern") == ["b.txt"]
    # The one that was taken away from the late worker is not counted as a try.
    assert StageRun.objects.get(stage=StageName.EXTRACT).attempt == 1
    check_books()


def test_a_duplicate_goes_on_when_its_original_is_cancelled(batch: Batch, user: Any) -> None:
    original = arrived(batch, CONTENT)
    verify(original, CONTENT)
    heir = copy_of(fresh(original), "b.txt")

    batches.cancel(Document.objects.filter(id=original.id), user)
    read(heir, TEXT)
    learn(heir)

    assert fresh(original).status == Status.CANCELLED
    assert pages_of(fresh(original)) == []
    assert found(user, "lantern") == ["b.txt"]
    check_books()

    batches.resume(Document.objects.filter(id=original.id), user)

    assert (fresh(original).status, fresh(original).duplicate_of_id) == ("duplicate", heir.id)
    check_books()


def test_duplicates_that_are_cancelled_with_their_original_end_and_come_back_with_it(
    batch: Batch, user: Any
) -> None:
    original = arrived(batch, CONTENT)
    verify(original, CONTENT)
    copy = copy_of(fresh(original), "b.txt")
    both = Document.objects.filter(id__in=[original.id, copy.id])

    batches.cancel(both, user)
    cancelled = set(both.values_list("status", flat=True))
    check_books()
    batches.resume(both, user)
    read(original, TEXT)
    learn(original)

    assert cancelled == {Status.CANCELLED}
    assert fresh(copy).status == Status.DUPLICATE
    assert found(user, "lantern") == [original.path]
    check_books()


def test_a_former_original_without_its_heir_waits_for_its_bytes_again(
    batch: Batch, user: Any, django_capture_on_commit_callbacks: Commit
) -> None:
    original = arrived(batch, CONTENT)
    verify(original, CONTENT)
    heir = copy_of(fresh(original), "b.txt")
    batches.cancel(Document.objects.filter(id=original.id), user)
    used = fresh(original).incoming_key
    delete(fresh(heir), user, django_capture_on_commit_callbacks)

    batches.resume(Document.objects.filter(id=original.id), user)

    waiting = fresh(original)
    assert waiting.status == Status.AWAITING
    assert waiting.incoming_key not in ("", used, original.incoming_key)
    check_books()


def test_the_copy_of_a_duplicate_goes_and_the_bytes_of_its_original_stay(batch: Batch) -> None:
    original = ready(batch, CONTENT)
    late = arrived(make_batch(batch.workspace), CONTENT, "late.txt")
    lease, write = claim(late, StageName.VERIFY), verified(late, CONTENT)

    finish(lease, write)

    assert (fresh(late).status, fresh(late).duplicate_of_id) == ("duplicate", original.id)
    assert Disposal.objects.filter(key=late.final_key).exists()
    assert not Disposal.objects.filter(key=original.stored_key).exists()
