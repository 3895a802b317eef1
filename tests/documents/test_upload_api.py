"""Batches, uploads and complete, as other people's clients use them."""

import hashlib
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from documents.models import Batch, Document, Workspace
from documents.services import arrivals
from documents.services.tokens import create_token
from documents.states import Status
from processing.models import IngestJob, StageRun
from processing.pipeline import OF_ALL
from tests.factories import make_batch, make_stored, make_user

pytestmark = pytest.mark.django_db
CONTENT = b"The gate opens at dawn."


@pytest.fixture
def workspace(api: APIClient) -> Workspace:
    return Workspace.objects.get()


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_authenticate(make_user())
    return client


@pytest.fixture
def batch(api: APIClient, workspace: Workspace) -> Batch:
    return make_batch(workspace)


def declared(
    path: str = "folder/a.txt", content: bytes = CONTENT, **changes: Any
) -> dict[str, Any]:
    return {
        "client_key": path,
        "path": path,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_type": "text/plain",
        **changes,
    }


def register(api: APIClient, batch: Batch, *documents: dict[str, Any]) -> Any:
    return api.post(f"/api/v1/batches/{batch.id}/uploads", {"documents": documents}, format="json")


def complete(api: APIClient, batch: Batch, *ids: Any) -> Any:
    body = {"documents": [{"id": str(document_id)} for document_id in ids]}
    return api.post(f"/api/v1/batches/{batch.id}/complete", body, format="json")


def test_a_batch_is_opened_and_shown_with_its_progress(api: APIClient) -> None:
    made = api.post("/api/v1/batches", {"name": "Scans"}, format="json")

    shown = api.get(f"/api/v1/batches/{made.json()['id']}").json()

    assert made.status_code == 201
    assert (shown["name"], shown["lane"], shown["progress"]["total"]) == ("Scans", "auto", 0)
    assert shown["progress"]["eta_seconds"] is None


def test_registering_gives_an_id_and_a_signed_url(api: APIClient, batch: Batch) -> None:
    response = register(api, batch, declared())

    (upload,) = response.json()["documents"]
    assert response.status_code == 201
    assert (upload["client_key"], upload["status"]) == ("folder/a.txt", "awaiting")
    assert upload["upload"]["method"] == "PUT"
    assert upload["upload"]["url"].startswith("/storage/incoming/")
    document = Document.objects.get()
    assert (document.folder, document.name) == ("folder", "a.txt")


def test_registering_again_gives_the_same_document(api: APIClient, batch: Batch) -> None:
    first = register(api, batch, declared()).json()["documents"][0]
    again = register(api, batch, declared()).json()["documents"][0]

    assert first["id"] == again["id"]
    assert again["upload"] is not None
    assert Document.objects.count() == 1


def test_another_declaration_under_the_same_key_is_refused(api: APIClient, batch: Batch) -> None:
    register(api, batch, declared())

    response = register(api, batch, declared(content=b"other bytes"))

    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "declaration_changed"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"path": "../secret.txt"}, 400, "invalid_path"),
        ({"path": "/etc/passwd"}, 400, "invalid_path"),
        ({"path": "a\\b.txt"}, 400, "invalid_path"),
        ({"path": "a\x00b.txt"}, 400, "invalid_path"),
        ({"path": "a//b.txt"}, 400, "invalid_path"),
        ({"path": ""}, 400, "invalid_path"),
        ({"path": "x" * 300}, 400, "invalid_path"),
        ({"path": "/".join(["long"] * 300)}, 400, "invalid_path"),
        ({"size": 0}, 400, "empty"),
        ({"size": 600 * 1024**2}, 413, "too_large"),
    ],
)
def test_one_bad_document_is_named_and_the_others_go_on(
    api: APIClient, batch: Batch, change: dict[str, Any], status: int, code: str
) -> None:
    bad = declared(**{"client_key": "bad", **change})

    alone = register(api, batch, bad)
    together = register(api, batch, declared(), bad)

    assert (alone.status_code, alone.json()["code"]) == (status, code)
    assert together.status_code == 201
    (error,) = together.json()["errors"]
    assert (error["client_key"], error["code"], error["status"]) == ("bad", code, status)
    assert error["detail"]
    assert Document.objects.count() == 1


@pytest.mark.parametrize("n", [0, 501])
def test_a_window_of_the_wrong_size_is_refused_whole(api: APIClient, batch: Batch, n: int) -> None:
    response = register(api, batch, *[declared(f"{at}.txt") for at in range(n)])

    assert (response.status_code, response.json()["code"]) == (400, "window_too_large")
    assert Document.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"documents": "all"},
        {"documents": [{"path": "a"}]},
        {"documents": [declared(sha256="ABC")]},
        {"documents": [declared(size="many")]},
        {"documents": [declared(content_type="text/html\r\nX: y")]},
        [],
    ],
)
def test_a_malformed_body_is_a_problem_and_leaves_nothing(
    api: APIClient, batch: Batch, body: Any
) -> None:
    response = api.post(f"/api/v1/batches/{batch.id}/uploads", body, format="json")

    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert Document.objects.count() == 0


def test_two_documents_under_one_key_are_both_refused(api: APIClient, batch: Batch) -> None:
    response = register(api, batch, declared(), declared("b.txt", client_key="folder/a.txt"))

    assert response.status_code == 400
    assert len(response.json()["errors"]) == 2


def test_names_are_normalised_to_nfc(api: APIClient, batch: Batch) -> None:
    register(api, batch, declared("Re\u0301sume\u0301.txt"))

    assert Document.objects.get().path == "R\u00e9sum\u00e9.txt"


def test_quota_is_reserved_and_refused_whole(api: APIClient, batch: Batch) -> None:
    Workspace.objects.update(quota_bytes=len(CONTENT) + 5)
    register(api, batch, declared())

    response = register(api, batch, declared("b.txt", b"six..."))

    assert (response.status_code, response.json()["code"]) == (403, "quota_exceeded")
    assert response.json()["quota_left"] == 5
    assert Workspace.objects.get().reserved_bytes == len(CONTENT)


def test_complete_before_the_bytes_is_refused_for_that_document_only(
    api: APIClient, batch: Batch
) -> None:
    there = make_stored(batch, CONTENT)
    register(api, batch, declared("missing.txt"))
    missing = Document.objects.get(path="missing.txt")

    both = complete(api, batch, there.id, missing.id)
    alone = complete(api, batch, missing.id)

    assert both.status_code == 200
    assert [document["status"] for document in both.json()["documents"]] == ["uploaded"]
    assert both.json()["errors"][0]["code"] == "object_missing"
    assert (alone.status_code, alone.json()["code"]) == (409, "object_missing")


def test_complete_makes_one_job_however_often_it_is_called(api: APIClient, batch: Batch) -> None:
    document = make_stored(batch, CONTENT)

    answers = [complete(api, batch, document.id) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.content for answer in answers}) == 1
    assert (IngestJob.objects.count(), StageRun.objects.count()) == (1, len(OF_ALL))


def test_complete_of_an_unknown_id_is_not_found(api: APIClient, batch: Batch) -> None:
    response = complete(api, batch, uuid4())

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_an_object_of_another_size_is_refused_and_can_be_sent_again(
    api: APIClient, batch: Batch
) -> None:
    document = make_stored(batch, CONTENT)
    Document.objects.update(size=7)
    key = document.incoming_key

    response = complete(api, batch, document.id)

    assert (response.status_code, response.json()["code"]) == (409, "size_mismatch")
    document.refresh_from_db()
    assert document.status == Status.AWAITING
    assert document.incoming_key != key


def test_known_bytes_are_a_duplicate_before_they_are_sent(
    api: APIClient, batch: Batch, workspace: Workspace
) -> None:
    original = make_stored(batch, CONTENT, path="first.txt")
    Document.objects.update(
        stored_key="stored/x", sha256=original.declared_sha256, status=Status.READY
    )

    upload = register(api, make_batch(workspace), declared()).json()["documents"][0]

    assert upload["status"] == "duplicate"
    assert upload["duplicate_of"] == str(original.id)
    assert upload["upload"] is None


def test_bytes_another_workspace_knows_are_no_duplicate(api: APIClient, batch: Batch) -> None:
    original = make_stored(make_batch(), CONTENT)
    Document.objects.update(
        stored_key="stored/x", sha256=original.declared_sha256, status=Status.READY
    )

    upload = register(api, batch, declared()).json()["documents"][0]
    body = {"documents": [{"path": "a.txt", "size": 23, "sha256": original.declared_sha256}]}
    verdict = api.post(f"/api/v1/batches/{batch.id}/preflight", body, format="json").json()

    assert upload["status"] == "awaiting"
    assert verdict["duplicates"] == []


def test_preflight_says_what_would_happen_and_writes_nothing(api: APIClient, batch: Batch) -> None:
    body = {"documents": [{"path": "a.txt", "size": 5}, {"path": "../b", "size": 5}]}

    verdict = api.post(f"/api/v1/batches/{batch.id}/preflight", body, format="json").json()

    assert verdict["accepted"] == 1
    assert verdict["refused"][0]["code"] == "invalid_path"
    assert Document.objects.count() == 0


def test_cancelling_a_batch_gives_the_quota_back(api: APIClient, batch: Batch) -> None:
    register(api, batch, declared())

    response = api.post(f"/api/v1/batches/{batch.id}/cancel")

    assert response.status_code == 200
    assert Document.objects.get().status == Status.CANCELLED
    assert Workspace.objects.get().reserved_bytes == 0


def test_a_cancelled_batch_takes_no_documents_until_it_is_resumed(
    api: APIClient, batch: Batch
) -> None:
    api.post(f"/api/v1/batches/{batch.id}/cancel")
    refused = register(api, batch, declared())
    api.post(f"/api/v1/batches/{batch.id}/resume")
    taken = register(api, batch, declared())

    assert (refused.status_code, taken.status_code) == (409, 201)


@override_settings(UPLOAD_IDLE_SECONDS=0)
def test_the_sweep_completes_what_a_closed_tab_left(api: APIClient, batch: Batch) -> None:
    make_stored(batch, CONTENT)

    assert arrivals.sweep() == (1, 0)

    assert Document.objects.get().status == Status.UPLOADED


@override_settings(UPLOAD_IDLE_SECONDS=0, UPLOAD_EXPIRY_SECONDS=-1)
def test_the_sweep_gives_up_what_never_came(api: APIClient, batch: Batch) -> None:
    register(api, batch, declared())

    assert arrivals.sweep() == (0, 1)

    assert Document.objects.get().status == Status.EXPIRED
    assert Workspace.objects.get().reserved_bytes == 0


def test_an_expired_document_can_be_dropped_again(api: APIClient, batch: Batch) -> None:
    register(api, batch, declared())
    arrivals.expire(Document.objects.get())

    upload = register(api, batch, declared()).json()["documents"][0]

    assert upload["status"] == "awaiting"
    assert upload["upload"] is not None
    assert Workspace.objects.get().reserved_bytes == len(CONTENT)


def test_lists_are_paged_by_keyset(api: APIClient, batch: Batch) -> None:
    register(api, batch, *[declared(f"{at}.txt") for at in range(5)])
    seen: list[str] = []
    cursor = ""

    while True:
        query = {"batch": str(batch.id), "limit": "2", "cursor": cursor}
        page = api.get("/api/v1/documents", query).json()
        seen += [document["path"] for document in page["results"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert seen == [f"{at}.txt" for at in range(5)]


@pytest.mark.parametrize("cursor", ["x", "W10", "!!!", "eyJhIjoxfQ"])
def test_a_made_up_cursor_is_refused(api: APIClient, cursor: str) -> None:
    response = api.get("/api/v1/batches", {"cursor": cursor})

    assert (response.status_code, response.json()["code"]) == (400, "invalid")


def test_the_queries_of_a_list_do_not_grow_with_it(
    api: APIClient, batch: Batch, django_assert_num_queries: Any
) -> None:
    register(api, batch, *[declared(f"{at}.txt") for at in range(20)])

    with django_assert_num_queries(3):
        api.get("/api/v1/documents", {"batch": str(batch.id)})


def test_a_token_opens_the_api_and_no_token_does_not(workspace: Workspace, api: APIClient) -> None:
    token = create_token(workspace.memberships.get().user, "test")

    with_token = APIClient().get("/api/v1/batches", HTTP_AUTHORIZATION=f"Bearer {token}")
    with_wrong = APIClient().get("/api/v1/batches", HTTP_AUTHORIZATION="Bearer slc_wrong")
    without = APIClient().get("/api/v1/batches")

    assert [r.status_code for r in (with_token, with_wrong, without)] == [200, 401, 401]
