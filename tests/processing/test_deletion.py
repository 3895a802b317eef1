"""Deleted means gone: from every table, from storage, from whoever was at work on it."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from documents.errors import CorruptError, LeaseLostError, NotFoundError, StorageError
from documents.models import AuditEntry, Batch, Disposal, Document, Event, Workspace
from documents.services import deletion, disposal
from documents.services.uploads import Declaration, register
from documents.states import Status
from documents.storage import get_storage
from processing import leases
from processing.models import ScanSlice, StageAttempt, StageName, StageRun, Worker
from processing.numbering import number_events
from processing.pipeline import OF_ALL
from tests.factories import make_document
from tests.processing import remains
from tests.processing.books import check_books
from tests.processing.lifecycle import (
    TEXT,
    arrived,
    claim,
    expire,
    extracted,
    finish,
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


def test_after_a_deletion_nothing_of_the_document_can_be_found_anywhere(
    batch: Batch, user: Any, root: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    other = ready(batch, b"Something else.", "A ferry crossed.", "other.txt")
    document = arrived(batch, CONTENT, PATH)
    verify(document, CONTENT)
    leases.fail(claim(document, StageName.EXTRACT), StorageError(f"{PATH} is away."))
    number_events()
    read(document, f"The {WORD} gate.")
    learn(document)
    # Of another generation, that is being read and has stepped aside.
    read_so_far = {"pages": [[1, f"The {WORD} gate.", 0.9]]}
    own = {"workspace": document.workspace, "document": document, "generation": 2}
    ScanSlice.objects.create(**own, seconds=1, readings=read_so_far, unread=[[2]])
    Worker.objects.create(
        id=uuid4(),
        kind="worker",
        host="h",
        pid=1,
        version="1",
        current=[{"stage": "embed", "document": str(document.id)}],
        started_at=timezone.now(),
        seen_at=timezone.now(),
    )
    traces = (str(document.id), PATH, "kumquat", WORD)
    assert {place.partition(".")[0] for place in places_of(*traces)} >= {
        *("documents_document", "documents_event", "processing_chunk", "processing_pagetext"),
        *("processing_stageattempt", "processing_worker", "processing_ingestjob"),
        "processing_scanslice",
    }
    assert objects_with(root, MARKER)

    delete(document, user, django_capture_on_commit_callbacks)

    # Until storage could not be written any more by anybody, its key stands on the list of what
    # must go; then only the audit keeps the id.
    assert places_of(*traces) == {"documents_auditentry.details", "documents_disposal.key"}
    Disposal.objects.update(until="2020-01-01T00:00Z", due_at="2020-01-01T00:00Z")
    disposal.work_off()
    assert places_of(*traces) == {"documents_auditentry.details"}
    assert places_of(*traces[1:]) == set()
    assert objects_with(root, MARKER) == []
    assert found(user, WORD) == []
    assert found(user, "ferry") == [other.path]
    check_books()


def test_the_stream_keeps_its_numbers_and_says_how_many_went(
    batch: Batch, user: Any, django_capture_on_commit_callbacks: Commit
) -> None:
    document = ready(batch, CONTENT)
    number_events()
    numbers = list(Event.objects.order_by("number").values_list("number", flat=True))

    delete(document, user, django_capture_on_commit_callbacks)
    number_events()

    events = list(Event.objects.order_by("number"))
    assert [event.number for event in events] == [*numbers, len(numbers) + 1]
    assert events[-1].kind == "deleted"
    assert events[-1].payload == {"from": "ready", "n": 1, "with_text": 1, "with_vectors": 1}
    check_books()


def test_events_that_are_not_numbered_yet_are_counted_all_the_same(
    batch: Batch, user: Any, django_capture_on_commit_callbacks: Commit
) -> None:
    declared = [Declaration(name, name, 5) for name in ("a.txt", "b.txt")]
    register(batch, declared)
    ready(batch, CONTENT)

    for document in list(Document.objects.exclude(path="b.txt")):
        delete(document, user, django_capture_on_commit_callbacks)

    check_books()
    assert Document.objects.get().path == "b.txt"


@pytest.mark.parametrize("status", list(Status))
def test_a_document_can_be_deleted_wherever_it_stands(
    batch: Batch, user: Any, status: Status, django_capture_on_commit_callbacks: Commit
) -> None:
    document = make_document(batch, status=status, reserved_bytes=7)
    Workspace.objects.update(reserved_bytes=7)

    delete(document, user, django_capture_on_commit_callbacks)

    assert not Document.objects.exists()
    check_books()


@pytest.mark.parametrize("stage", [stage.name for stage in OF_ALL])
def test_who_works_on_it_writes_nothing_any_more(
    batch: Batch,
    user: Any,
    root: Path,
    stage: StageName,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    document = arrived(batch, CONTENT)
    late_write = verified(document, CONTENT)
    if stage != StageName.VERIFY:
        verify(document, CONTENT)
        late_write = extracted(WORD)
    if stage not in (StageName.VERIFY, StageName.EXTRACT):
        read(document, TEXT)
    lease = claim(document, stage)

    delete(document, user, django_capture_on_commit_callbacks)

    # The look that a worker takes every second; it ends the child.
    assert leases.still_held([lease]) == set()
    with pytest.raises(LeaseLostError):
        finish(lease, late_write)
    with pytest.raises(LeaseLostError):
        leases.fail(lease, CorruptError())
    assert not StageRun.objects.exists()
    assert not StageAttempt.objects.exists()
    assert objects_with(root, MARKER) == []


def test_bytes_that_a_late_worker_promotes_go_too(
    batch: Batch, user: Any, root: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    document = arrived(batch, CONTENT)
    delete(document, user, django_capture_on_commit_callbacks)
    get_storage().put(document.final_key, CONTENT, "text/plain")
    early = disposal.work_off()

    Disposal.objects.update(until="2020-01-01T00:00Z", due_at="2020-01-01T00:00Z")

    assert (early, disposal.work_off()) == (0, 2)
    assert objects_with(root, MARKER) == []
    assert not Disposal.objects.exists()


def test_who_dies_before_the_bytes_go_leaves_them_to_the_conductor(
    batch: Batch, user: Any, root: Path
) -> None:
    document = ready(batch, CONTENT)

    # What runs after the commit never runs here.
    deletion.delete(document, user)
    before = objects_with(root, MARKER)
    disposal.work_off()

    assert before
    assert objects_with(root, MARKER) == []


def test_storage_that_is_away_is_asked_again(
    batch: Batch, user: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = ready(batch, CONTENT)
    deletion.delete(document, user)
    storage = get_storage()

    def away(self: Any, key: str) -> None:
        raise StorageError("Storage is away.")

    with monkeypatch.context() as patch:
        patch.setattr(type(storage), "delete", away)
        assert disposal.work_off() == 0
    waiting = Disposal.objects.filter(due_at__gt=timezone.now()).count()
    Disposal.objects.update(due_at="2020-01-01T00:00Z")
    disposal.work_off()

    assert waiting == len(disposal.keys_of(document))
    assert objects_with(root, MARKER) == []


def test_a_key_that_a_document_names_is_never_deleted(batch: Batch, root: Path) -> None:
    document = ready(batch, CONTENT)

    disposal.dispose([document.stored_key])
    disposal.work_off()

    assert objects_with(root, MARKER)


def test_deleting_twice_is_not_found(
    batch: Batch, user: Any, django_capture_on_commit_callbacks: Commit
) -> None:
    document = ready(batch, CONTENT)
    delete(document, user, django_capture_on_commit_callbacks)

    with pytest.raises(NotFoundError):
        deletion.delete(document, user)

    assert AuditEntry.objects.filter(action="delete").count() == 1


def test_an_upload_under_way_is_refused_once_its_document_is_deleted(
    batch: Batch, user: Any, django_capture_on_commit_callbacks: Commit
) -> None:
    (upload,) = register(batch, [Declaration("a.txt", "a.txt", 5)]).uploads

    delete(upload.document, user, django_capture_on_commit_callbacks)

    storage: Any = get_storage()
    assert storage.is_taken(upload.document.incoming_key)


def test_the_api_deletes_and_then_knows_nothing(batch: Batch, user: Any) -> None:
    document = ready(batch, CONTENT)
    api = APIClient()
    api.force_authenticate(user)

    gone = api.delete(f"/api/v1/documents/{document.id}")

    assert (gone.status_code, gone.content) == (204, b"")
    for path in ("", "/text", "/download"):
        assert api.get(f"/api/v1/documents/{document.id}{path}").status_code == 404
    assert api.delete(f"/api/v1/documents/{document.id}").status_code == 404


def test_a_lease_of_a_deleted_document_leaves_nothing_to_reap(batch: Batch, user: Any) -> None:
    document = arrived(batch, CONTENT)
    lease = claim(document, StageName.VERIFY)
    expire(lease)

    deletion.delete(document, user)

    assert leases.reap() == 0
