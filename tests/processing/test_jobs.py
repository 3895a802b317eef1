"""Cancel, resume and retry: where the work of documents goes on."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from django.utils import timezone

from documents.errors import CorruptError
from documents.models import Batch, Document, Event
from documents.services import arrivals, batches
from documents.services.uploads import Declaration, register
from documents.states import Status
from documents.storage import get_storage
from processing import leases
from processing.models import RunState, StageName, StageRun
from processing.pipeline import following, get_stage
from processing.stages.extract import Extracted
from processing.stages.verify import Verified
from tests.factories import make_batch, make_stored, make_user
from tests.processing.outputs import EXTRACTION

pytestmark = pytest.mark.django_db
CONTENT = b"The gate opens at dawn."
SHA256 = "a" * 64


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def batch(user: User) -> Batch:
    return make_batch(user.memberships.get().workspace)


def stored_original(batch: Batch) -> Document:
    """Return a document that verify took in, and whose text is still to be read."""
    document = make_stored(batch, CONTENT)
    arrivals.complete(batch, [document.id])
    Document.objects.filter(id=document.id).update(declared_sha256="")
    verify(f"stored/{document.id}")
    return Document.objects.get(id=document.id)


def verify(stored_key: str) -> None:
    (lease,) = leases.claim(get_stage(StageName.VERIFY), uuid4(), limit=1)
    leases.finish(lease, Verified(stored_key, SHA256, "text/plain"), following(StageName.VERIFY))


def fail_extract() -> None:
    (lease,) = leases.claim(get_stage(StageName.EXTRACT), uuid4(), limit=1)
    leases.fail(lease, CorruptError("It is damaged."))


def extract_state(document: Document) -> str:
    return StageRun.objects.get(document=document, stage=StageName.EXTRACT).state


@override_settings(UPLOAD_IDLE_SECONDS=0)
def test_what_waits_again_after_a_resume_has_the_time_of_a_new_upload(
    batch: Batch, user: User
) -> None:
    register(batch, [Declaration("a.txt", "a.txt", 5)])
    batches.cancel_batch(batch, user)
    Document.objects.update(upload_expires_at=timezone.now() - timedelta(days=1))

    batches.resume_batch(batch, user)
    arrivals.sweep()

    assert Document.objects.get().status == Status.AWAITING


def test_an_expired_document_waits_at_a_key_that_was_never_used(batch: Batch) -> None:
    (first,) = register(batch, [Declaration("a.txt", "a.txt", 5)]).uploads
    # Taken back bytes leave a key that no URL can write again.
    get_storage().put(first.document.incoming_key, b"other", "text/plain")
    get_storage().delete(first.document.incoming_key)
    arrivals.expire(first.document)

    (again,) = register(batch, [Declaration("a.txt", "a.txt", 5)]).uploads

    assert again.document.id == first.document.id
    assert again.document.incoming_key != first.document.incoming_key


def test_known_bytes_take_a_cancelled_original_up_again(batch: Batch, user: User) -> None:
    original = stored_original(batch)
    batches.cancel_batch(batch, user)
    other = make_batch(batch.workspace)

    declared = Declaration("b.txt", "b.txt", len(CONTENT), SHA256)
    (upload,) = register(other, [declared]).uploads

    original.refresh_from_db()
    assert upload.document.duplicate_of_id == original.id
    assert original.status == Status.PROCESSING
    assert extract_state(original) == RunState.READY


def test_known_bytes_try_a_failed_original_again(batch: Batch) -> None:
    original = stored_original(batch)
    fail_extract()

    register(batch, [Declaration("b.txt", "b.txt", len(CONTENT), SHA256)])

    original.refresh_from_db()
    assert (original.status, extract_state(original)) == (Status.PROCESSING, RunState.READY)


def test_verify_takes_up_the_cancelled_original_of_a_duplicate(batch: Batch, user: User) -> None:
    original = stored_original(batch)
    batches.cancel_batch(batch, user)
    other = make_batch(batch.workspace)
    late = make_stored(other, CONTENT, path="b.txt")
    arrivals.complete(other, [late.id])

    verify(f"stored/{late.id}")

    late.refresh_from_db()
    original.refresh_from_db()
    assert (late.status, late.duplicate_of_id) == (Status.DUPLICATE, original.id)
    assert (original.status, extract_state(original)) == (Status.PROCESSING, RunState.READY)


def test_known_bytes_leave_a_finished_original_alone(batch: Batch) -> None:
    original = stored_original(batch)
    Document.objects.filter(id=original.id).update(status=Status.READY)

    register(batch, [Declaration("b.txt", "b.txt", len(CONTENT), SHA256)])

    assert Document.objects.get(id=original.id).version == original.version


def test_text_is_counted_once_however_often_it_is_read(batch: Batch, user: User) -> None:
    stored_original(batch)
    (lease,) = leases.claim(get_stage(StageName.EXTRACT), uuid4(), limit=1)
    leases.finish(lease, Extracted(EXTRACTION, []), following(StageName.EXTRACT))
    StageRun.objects.filter(stage=StageName.EXTRACT).update(state=RunState.READY)
    (again,) = leases.claim(get_stage(StageName.EXTRACT), uuid4(), limit=1)

    leases.finish(again, Extracted(EXTRACTION, []), following(StageName.EXTRACT))

    assert Event.objects.filter(kind="processed").count() == 1
