"""Documents are listed first; their hashes, and their bytes, may come later."""

import hashlib
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from documents.models import Batch, Document, Event, Workspace
from documents.services import arrivals, batches, uploads
from documents.services.moves import move
from documents.services.uploads import Declaration, register
from documents.states import Status
from documents.storage import get_storage
from tests.factories import make_batch, make_document, make_stored, make_user

pytestmark = pytest.mark.django_db
CONTENT = b"The gate opens at dawn."
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def said(path: str = "folder/a.txt", **more: Any) -> dict[str, Any]:
    return {"client_key": path, "path": path, "size": len(CONTENT), **more}


def register_all(api: APIClient, batch: Batch, *documents: dict[str, Any], **more: Any) -> Any:
    body = {"documents": documents, **more}
    return api.post(f"/api/v1/batches/{batch.id}/uploads", body, format="json")


def declare(api: APIClient, batch: Batch, **more: Any) -> dict[str, Any]:
    (upload,) = register_all(api, batch, said(**more)).json()["documents"]
    return dict(upload)


def stored_original(workspace: Workspace, **fields: Any) -> Document:
    """Return a document of the workspace whose verified bytes are CONTENT."""
    known = {"sha256": SHA256, "size": len(CONTENT), "content_type": "text/plain"}
    return make_document(
        make_batch(workspace),
        **{"status": Status.READY, "stored_key": "stored/x", **known, **fields},
    )


def reserved(workspace: Workspace) -> int:
    return Workspace.objects.get(id=workspace.id).reserved_bytes


# --- listed first ---------------------------------------------------------------


def test_a_listed_document_is_there_and_asks_for_nothing(api: APIClient, batch: Batch) -> None:
    answer = register_all(api, batch, said(), said("../secret"), sign=False)

    (upload,) = answer.json()["documents"]
    assert (answer.status_code, upload["status"], upload["upload"]) == (201, "awaiting", None)
    assert answer.json()["errors"][0]["code"] == "invalid_path"
    assert reserved(batch.workspace) == len(CONTENT)
    shown = api.get("/api/v1/documents", {"batch": str(batch.id)}).json()["results"]
    assert [document["path"] for document in shown] == ["folder/a.txt"]


def test_a_listed_document_is_asked_for_by_the_same_call_without_sign(
    api: APIClient, batch: Batch
) -> None:
    register_all(api, batch, said(), sign=False)

    upload = declare(api, batch)

    assert upload["upload"]["method"] == "PUT"
    assert Document.objects.get().may_arrive


@override_settings(UPLOAD_IDLE_SECONDS=0)
def test_storage_is_not_asked_for_what_is_only_listed(
    api: APIClient, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_all(api, batch, said(), sign=False)
    with monkeypatch.context() as patch:
        patch.setattr(type(get_storage()), "stat", None)
        assert arrivals.sweep() == (0, 0)

    upload = declare(api, batch)
    document = Document.objects.get(id=upload["id"])
    get_storage().put(document.incoming_key, CONTENT, "text/plain")

    assert arrivals.sweep() == (1, 0)


@override_settings(UPLOAD_IDLE_SECONDS=0, UPLOAD_EXPIRY_SECONDS=-1)
def test_what_was_only_listed_is_given_up_in_time(api: APIClient, batch: Batch) -> None:
    register_all(api, batch, said(), sign=False)

    assert arrivals.sweep() == (0, 1)
    assert reserved(batch.workspace) == 0


@pytest.mark.parametrize("sign", ["maybe", [], {}])
def test_sign_is_true_or_false(api: APIClient, batch: Batch, sign: Any) -> None:
    answer = register_all(api, batch, said(), sign=sign)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


# --- the hash comes later -------------------------------------------------------


def test_a_hash_that_comes_later_is_kept(api: APIClient, batch: Batch) -> None:
    first = declare(api, batch)
    again = declare(api, batch, sha256=SHA256)

    assert (first["id"], again["status"]) == (again["id"], "awaiting")
    assert again["upload"] is not None
    assert Document.objects.get().declared_sha256 == SHA256


def test_a_hash_that_is_stored_here_makes_a_duplicate_at_once(api: APIClient, batch: Batch) -> None:
    original = stored_original(batch.workspace)
    declare(api, batch)

    told = declare(api, batch, sha256=SHA256)

    document = Document.objects.get(id=told["id"])
    assert (told["status"], told["duplicate_of"]) == ("duplicate", str(original.id))
    assert told["upload"] is None
    assert (document.sha256, document.content_type) == (SHA256, "text/plain")
    assert document.uploaded_at is not None
    assert (document.reserved_bytes, reserved(batch.workspace)) == (0, 0)


def test_the_move_to_duplicate_has_its_event(api: APIClient, batch: Batch) -> None:
    stored_original(batch.workspace)
    declare(api, batch)

    told = declare(api, batch, sha256=SHA256)

    event = Event.objects.filter(stream__contains=str(batch.id)).order_by("id").last()
    assert event is not None
    assert event.payload["documents"] == [told["id"]]
    assert (event.payload["from"], event.payload["to"]) == ("awaiting", "duplicate")


def test_the_duplicate_takes_a_cancelled_original_up_again(api: APIClient, batch: Batch) -> None:
    original = make_stored(make_batch(batch.workspace), CONTENT)
    arrivals.complete(original.batch, [original.id])
    Document.objects.filter(id=original.id).update(sha256=SHA256, stored_key="stored/x")
    batches.cancel_batch(original.batch, make_user())
    declare(api, batch)

    told = declare(api, batch, sha256=SHA256)

    original.refresh_from_db()
    assert told["duplicate_of"] == str(original.id)
    assert original.status != Status.CANCELLED


def test_another_workspaces_bytes_make_no_duplicate(api: APIClient, batch: Batch) -> None:
    stored_original(make_batch().workspace)
    declare(api, batch)

    assert declare(api, batch, sha256=SHA256)["status"] == "awaiting"


def test_a_hash_without_its_size_makes_no_duplicate(api: APIClient, batch: Batch) -> None:
    stored_original(batch.workspace, size=len(CONTENT) + 1)
    declare(api, batch)

    assert declare(api, batch, sha256=SHA256)["status"] == "awaiting"


def test_an_expired_document_waits_again_with_its_hash(api: APIClient, batch: Batch) -> None:
    declare(api, batch)
    arrivals.expire(Document.objects.get())

    assert declare(api, batch, sha256=SHA256)["status"] == "awaiting"
    assert Document.objects.get().declared_sha256 == SHA256


def test_a_cancelled_document_stays_cancelled(api: APIClient, batch: Batch) -> None:
    declare(api, batch)
    batches.cancel(Document.objects.all(), make_user())

    told = declare(api, batch, sha256=SHA256)

    assert (told["status"], told["upload"]) == ("cancelled", None)


def test_a_document_accepted_meanwhile_keeps_its_own_bytes(
    api: APIClient, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_original(batch.workspace)
    declare(api, batch)
    mine = Document.objects.get(batch=batch)
    look = uploads._kept_originals

    def accepted_meanwhile(*args: Any) -> Any:
        move(Document.objects.filter(id=mine.id), Status.UPLOADED)
        return look(*args)

    monkeypatch.setattr(uploads, "_kept_originals", accepted_meanwhile)

    assert declare(api, batch, sha256=SHA256)["status"] == "uploaded"
    assert reserved(batch.workspace) == len(CONTENT)


@pytest.mark.parametrize("left_out", ["sha256", "content_type"])
def test_what_a_repeat_leaves_out_is_no_change(api: APIClient, batch: Batch, left_out: str) -> None:
    full = {"sha256": SHA256, "content_type": "text/plain"}
    declare(api, batch, **full)
    less = {name: value for name, value in full.items() if name != left_out}

    assert declare(api, batch, **less)["status"] == "awaiting"
    document = Document.objects.get()
    assert (document.declared_sha256, document.declared_type) == (SHA256, "text/plain")


@pytest.mark.parametrize(
    "change", [{"sha256": "0" * 64}, {"content_type": "text/html"}, {"size": 7}, {"path": "b"}]
)
def test_any_other_difference_is_refused(
    api: APIClient, batch: Batch, change: dict[str, Any]
) -> None:
    declare(api, batch, sha256=SHA256, content_type="text/plain")

    answer = register_all(api, batch, {**said(), **change})

    assert (answer.status_code, answer.json()["code"]) == (409, "declaration_changed")


@pytest.mark.parametrize(("sha256", "status"), [(SHA256, 201), ("0" * 64, 409)])
def test_a_hash_is_held_against_the_verified_one(
    api: APIClient, batch: Batch, sha256: str, status: int
) -> None:
    declare(api, batch)
    Document.objects.update(sha256=SHA256)
    move(Document.objects.all(), Status.UPLOADED)

    assert register_all(api, batch, said(sha256=sha256)).status_code == status


def test_a_hash_after_the_bytes_cannot_be_added(api: APIClient, batch: Batch) -> None:
    declare(api, batch)
    move(Document.objects.all(), Status.UPLOADED)

    assert register_all(api, batch, said(sha256=SHA256)).status_code == 409


@pytest.mark.parametrize("known", [False, True], ids=["new", "duplicates"])
def test_the_queries_do_not_grow_with_the_window(batch: Batch, known: bool) -> None:
    counts = []
    for n in (2, 30):
        hashes = [f"{n:032x}{at:032x}" for at in range(n)]
        plain = [Declaration(f"{n}/{at}", f"{n}/{at}", 5) for at in range(n)]
        for sha256 in hashes if known else ():
            stored_original(batch.workspace, sha256=sha256, size=5)
        register(batch, plain, sign=False)
        hashed = [Declaration(f"{n}/{at}", f"{n}/{at}", 5, hashes[at]) for at in range(n)]

        with CaptureQueriesContext(connection) as queries:
            register(batch, hashed)
        counts.append(len(queries))

    assert counts[0] == counts[1]
