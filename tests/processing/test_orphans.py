"""Objects that no document names: removed once they are old, or as soon as they are refused."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from documents.errors import CorruptError
from documents.models import Batch, Disposal, Document
from documents.services import disposal
from documents.services.disposal import OrphanSweep
from documents.states import Status
from documents.storage import get_storage
from processing import leases
from processing.models import StageName
from tests.factories import make_document, make_stored
from tests.processing import remains
from tests.processing.lifecycle import arrived, claim, fresh
from tests.processing.remains import CONTENT, MARKER, Commit, objects_with

pytestmark = pytest.mark.django_db
model = remains.model
root = remains.root


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
