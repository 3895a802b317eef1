"""Deleted means gone: from every table, from storage, from whoever was at work on it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

from documents.errors import CorruptError, LeaseLostError, NotFoundError, StorageError
from documents.models import AuditEntry, Batch, Disposal, Document, Event, Workspace
from documents.services import batches, deletion, disposal
from documents.services.disposal import OrphanSweep
from documents.services.uploads import Declaration, register
from documents.states import Status
from documents.storage import get_storage
from processing import leases
from processing.models import StageAttempt, StageName, StageRun, Worker
from processing.numbering import number_events
from processing.search import search
from processing.selectors import pages_of
from processing.stages import embed
from tests.factories import make_batch, make_document, make_stored
from tests.processing.books import check_books
from tests.processing.lifecycle import (
    TEXT,
    arrived,
    claim,
    expire,
    extracted,
    finish,
    fresh,
    learn,
    read,
    ready,
    verified,
    verify,
)
from tests.processing.search_library import CompassEmbedder, paths

pytestmark = pytest.mark.django_db
CONTENT = b"The zanzibarian gate opens at dawn."
MARKER = b"zanzibarian"
WORD = "zanzibarian"
PATH = "Secrets/kumquat ledger.txt"
Commit = DjangoCaptureOnCommitCallbacks


@pytest.fixture(autouse=True)
def model(embedder: CompassEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "get_embedder", lambda: embedder)


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    settings.STORAGE_ROOT = tmp_path / "storage"
    return tmp_path


def cells() -> Iterator[tuple[str, str]]:
    """Yield every value of every column of every table, with where it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = current_schema() order by 1, 2"
        )
        columns = cursor.fetchall()
        assert len({table for table, _ in columns}) > 20
        for table, column in columns:
            cursor.execute(f'select "{column}"::text from "{table}" where "{column}" is not null')
            yield from ((f"{table}.{column}", row[0]) for row in cursor.fetchall())


def places_of(*traces: str) -> set[str]:
    """Return the columns in which one of these can be read."""
    return {place for place, value in cells() if any(trace in value for trace in traces)}


def objects_with(root: Path, marker: bytes) -> list[Path]:
    """Return the files under the storage root that contain the marker."""
    files = (Path(at, name) for at, _, names in os.walk(root) for name in names)
    return [path for path in files if marker in path.read_bytes()]


def delete(document: Document, user: Any, commit: Commit) -> None:
    with commit(execute=True):
        deletion.delete(document, user)


def found(user: Any, question: str) -> list[str]:
    return paths(search(user, question, mode="keyword"))


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


@pytest.mark.parametrize("stage", list(StageName))
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
    if stage == StageName.EMBED:
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

    assert waiting == 2
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


# --- originals and their duplicates -------------------------------------------


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


# --- what nobody owns ---------------------------------------------------------


def store(key: str, *, age_days: float) -> None:
    get_storage().put(key, CONTENT, "text/plain")
    storage: Any = get_storage()
    then = timezone.now().timestamp() - age_days * 86_400
    os.utime(storage._path(key), (then, then))


def swept(batch: Batch, key: str, *, age_days: float) -> bool:
    store(key, age_days=age_days)
    OrphanSweep().step()
    disposal.work_off()
    return get_storage().stat(key) is None


def test_an_old_object_that_nobody_names_is_removed(batch: Batch) -> None:
    key = f"stored/{batch.workspace_id}/{uuid4()}/{uuid4().hex[:16]}"

    assert swept(batch, key, age_days=3)


def test_a_young_object_may_still_get_its_document(batch: Batch) -> None:
    key = f"stored/{batch.workspace_id}/{uuid4()}/{uuid4().hex[:16]}"

    assert not swept(batch, key, age_days=0.5)


def test_what_a_document_names_or_may_come_back_to_is_kept(batch: Batch) -> None:
    owned = make_document(batch, status=Status.READY)
    Document.objects.filter(id=owned.id).update(stored_key=owned.final_key)
    # Promoted by an attempt that died before its transaction: the next one needs it.
    waiting = make_stored(batch, CONTENT, path="b.txt")
    Document.objects.filter(id=waiting.id).update(status=Status.UPLOADED)
    promoted = f"stored/{batch.workspace_id}/{waiting.id}/{uuid4().hex[:16]}"

    assert not swept(batch, owned.final_key, age_days=9)
    assert not swept(batch, promoted, age_days=9)


def test_the_walk_begins_anew_after_its_end(batch: Batch) -> None:
    sweep = OrphanSweep()
    sweep.step()
    store(f"stored/{batch.workspace_id}/{uuid4()}", age_days=9)

    found = sweep.step()
    disposal.work_off()

    assert (found, sweep.step(), sweep.step()) == (1, 0, 0)


def test_what_verify_refuses_is_disposed_of(
    batch: Batch, root: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    document = arrived(batch, CONTENT)
    lease = claim(document, StageName.VERIFY)

    with django_capture_on_commit_callbacks(execute=True):
        leases.fail(lease, CorruptError("It is damaged."))

    assert fresh(document).status == Status.REJECTED
    assert objects_with(root, MARKER) == []
    assert Disposal.objects.count() == 2


def test_a_lease_of_a_deleted_document_leaves_nothing_to_reap(batch: Batch, user: Any) -> None:
    document = arrived(batch, CONTENT)
    lease = claim(document, StageName.VERIFY)
    expire(lease)

    deletion.delete(document, user)

    assert leases.reap() == 0
