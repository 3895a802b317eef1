"""Unpacking that is broken off: gone on with where it stood, or stopped where it was cancelled."""

from typing import Any

import pytest

from documents.errors import LeaseLostError, StorageError
from documents.models import Batch, Document, Workspace
from documents.services import batches, delivery, uploads
from documents.services.deletion import delete
from documents.states import Status
from documents.storage.local import LocalStorage
from processing import leases, reading, unpacking
from processing.models import StageName
from processing.pipeline import get_stage
from processing.stage import Held
from tests.processing import archive_samples as samples
from tests.processing.archives import TWO, break_off, claim_extract, dropped, members_of, unpack
from tests.processing.lifecycle import fresh
from tests.processing.search_library import CompassEmbedder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm", "provider")]


@pytest.mark.parametrize(
    "point",
    [
        "unpack.before_register",
        "presign.before_commit",
        "presign.after_commit",
        "unpack.before_deliver",
        "complete.before_commit",
        "complete.after_commit",
        "unpack.after_deliver",
        "unpack.before_listing",
        "extract.before_commit",
    ],
)
def test_an_attempt_that_ends_anywhere_is_gone_on_with(
    batch: Batch, point: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    document = dropped(batch, samples.zipped(TWO))
    break_off(document, point, monkeypatch, tmp_path)

    assert unpack(document) is None

    members = members_of(document)
    assert len(members) == Document.objects.filter(batch=batch).count() - 1 == 2
    assert {member.status for member in members.values()} == {Status.UPLOADED}


def test_what_was_stored_before_a_kill_is_not_sent_again(
    batch: Batch, puts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = dropped(batch, samples.zipped(TWO))
    puts.clear()
    lease = claim_extract(document)
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_complete", lambda batch, ids: [])
        list(get_stage(StageName.EXTRACT).run([Held(lease)]))
    leases.hand_back(lease)
    assert {each.status for each in members_of(document).values()} == {Status.AWAITING}
    monkeypatch.setattr(reading, "unpacked", _must_not_be_called)

    assert unpack(document) is None

    assert {each.status for each in members_of(document).values()} == {Status.UPLOADED}
    assert len(puts) == 2


def test_storage_that_stays_away_is_tried_again_later(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = dropped(batch, samples.zipped(TWO))
    monkeypatch.setattr(delivery, "RETRY_SECONDS", ())
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "put", _away)
        error = unpack(document)

    assert isinstance(error, StorageError)
    assert unpack(document) is None
    assert {each.status for each in members_of(document).values()} == {Status.UPLOADED}


def test_a_full_workspace_takes_what_fits_and_the_rest_after_a_retry(
    batch: Batch, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_WINDOW", 1)
    document = dropped(batch, samples.zipped(TWO))
    workspace = Workspace.objects.get(id=batch.workspace_id)
    room = workspace.used_bytes + workspace.reserved_bytes + len(TWO["a.txt"])
    Workspace.objects.filter(id=workspace.id).update(quota_bytes=room)

    assert unpack(document) is not None

    document = fresh(document)
    assert (document.status, document.error_code) == (Status.FAILED, "quota_exceeded")
    assert [each.status for each in members_of(document).values()] == [Status.UPLOADED]

    Workspace.objects.filter(id=workspace.id).update(quota_bytes=room * 10)
    batches.retry(Document.objects.filter(id=document.id), user)
    assert unpack(document) is None
    assert len(members_of(document)) == 2
    assert {each.status for each in members_of(document).values()} == {Status.UPLOADED}


def test_cancelling_the_archive_stops_it(
    batch: Batch, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_WINDOW", 1)
    document = dropped(batch, samples.zipped(TWO))
    lease = claim_extract(document)
    held = Held(lease)
    enlist = uploads.enlist

    def enlist_and_lose(*arguments: Any) -> Any:
        answer = enlist(*arguments)
        batches.cancel(Document.objects.filter(id=document.id), user)
        held.lose(LeaseLostError("The document was cancelled."))
        return answer

    monkeypatch.setattr(uploads, "enlist", enlist_and_lose)

    ((_, result),) = list(get_stage(StageName.EXTRACT).run([held]))

    assert isinstance(result, LeaseLostError)
    assert [each.status for each in members_of(document).values()] == [Status.AWAITING]

    monkeypatch.undo()
    embedder = CompassEmbedder()
    monkeypatch.setattr("processing.stages.extract.get_embedder", lambda: embedder)
    batches.resume(Document.objects.filter(id=document.id), user)
    assert unpack(document) is None
    assert {each.status for each in members_of(document).values()} == {Status.UPLOADED}
    assert len(members_of(document)) == 2


def test_members_cancelled_or_deleted_meanwhile_are_not_sent(
    batch: Batch, user: Any, puts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = dropped(batch, samples.zipped(TWO | {"c.txt": b"the third document"}))
    puts.clear()
    unpacked = reading.unpacked

    def change_minds(*arguments: Any) -> Any:
        members = members_of(document)
        batches.cancel(Document.objects.filter(id=members["drop/two.zip/a.txt"].id), user)
        delete(members["drop/two.zip/sub/b.txt"], user)
        return unpacked(*arguments)

    monkeypatch.setattr(reading, "unpacked", change_minds)

    assert unpack(document) is None

    states = {path: member.status for path, member in members_of(document).items()}
    assert states == {"drop/two.zip/a.txt": "cancelled", "drop/two.zip/c.txt": "uploaded"}
    assert len(puts) == 1


def _must_not_be_called(*_: Any) -> Any:
    raise AssertionError("it was called")


def _away(*_: Any) -> Any:
    raise StorageError("Storage is away.")
