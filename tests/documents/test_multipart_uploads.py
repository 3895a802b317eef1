"""Large documents are sent in parts, and an upload goes on from wherever it stood."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from documents.models import Batch
from documents.services import arrivals, multipart
from documents.states import Status
from documents.storage import get_storage
from tests.documents import multipart_client
from tests.documents.multipart_client import PartsClient
from tests.documents.storage_backends import Backend

pytestmark = pytest.mark.django_db(transaction=True)
backend = multipart_client.backend
one = multipart_client.one


def parts_of(one: PartsClient) -> list[dict[str, Any]]:
    return [
        {"number": part.number, "etag": part.etag}
        for part in get_storage().list_parts(one.under_way)
    ]


def test_a_large_document_is_asked_for_in_parts(one: PartsClient) -> None:
    target = one.target()

    assert target["part_size"] == one.backend.part_bytes
    assert [part["number"] for part in target["parts"]] == [1, 2, 3]
    assert target["done"] == []
    assert target["expires_at"]


def test_a_small_document_is_asked_for_whole(one: PartsClient) -> None:
    assert one.ask(client_key="small", size=10)["upload"]["method"] == "PUT"


def test_all_parts_are_put_together_when_it_is_complete(one: PartsClient) -> None:
    replies = one.send(one.target())
    key = one.document.incoming_key

    answer = one.complete()

    assert {reply.status for reply in replies} <= {200, 201}
    assert [each["status"] for each in answer.json()["documents"]] == ["uploaded"]
    assert (one.document.multipart_id, one.document.incoming_key) == ("", key)
    assert one.stored() == one.content


def test_asking_again_is_the_resume(one: PartsClient) -> None:
    one.send(one.target(), [2])
    begun = one.under_way

    target = one.target()

    assert ([part["number"] for part in target["parts"]], target["done"]) == ([1, 3], [2])
    assert one.under_way == begun
    one.send(target)
    assert one.complete().status_code == 200
    assert one.stored() == one.content


def test_only_the_next_parts_are_signed(one: PartsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "PARTS_AT_ONCE", 2)
    monkeypatch.setattr("documents.services.uploads.PARTS_AT_ONCE", 2)

    first = one.target()
    one.send(first)
    second = one.target()

    assert [part["number"] for part in first["parts"]] == [1, 2]
    assert ([part["number"] for part in second["parts"]], second["done"]) == ([3], [1, 2])


def test_many_large_documents_share_what_is_signed(
    api: APIClient, batch: Batch, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.services.uploads.PARTS_PER_WINDOW", 4)
    declared = [PartsClient(api, batch, backend, path).declared() for path in ("a", "b")]

    answer = api.post(f"/api/v1/batches/{batch.id}/uploads", {"documents": declared}, format="json")

    targets = [each["upload"]["multipart"] for each in answer.json()["documents"]]
    assert [len(target["parts"]) for target in targets] == [2, 2]


def test_missing_parts_are_refused_and_can_still_come(one: PartsClient) -> None:
    target = one.target()
    one.send(target, [1, 3])

    refused = one.complete()

    assert (refused.status_code, refused.json()["code"]) == (409, "object_missing")
    assert "1 of the 3 parts" in refused.json()["detail"]
    assert one.document.status == Status.AWAITING
    one.send(target, [2])
    assert one.complete().status_code == 200


def test_parts_that_are_named_must_be_those_that_are_there(one: PartsClient) -> None:
    one.send(one.target())
    there = parts_of(one)

    other = one.complete(parts=[{**there[0], "etag": "0" * 32}])
    unknown = one.complete(parts=[{"number": 4, "etag": there[0]["etag"]}])

    assert {answer.json()["code"] for answer in (other, unknown)} == {"object_missing"}
    assert one.document.status == Status.AWAITING
    quoted = [{**part, "etag": f'"{part["etag"]}"'} for part in there[:2]]
    assert one.complete(parts=quoted).status_code == 200


@pytest.mark.parametrize("parts", ["all", [{"number": 0, "etag": "x"}], [{"number": 1}]])
def test_parts_that_make_no_sense_are_invalid(one: PartsClient, parts: Any) -> None:
    one.ask()

    assert one.complete(parts=parts).json()["code"] == "invalid"


def test_a_complete_cut_off_after_the_store_is_completed_by_the_next(
    one: PartsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = one.target()
    one.send(target)

    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "accept", cut_off)
        with pytest.raises(ConnectionError):
            one.complete()
    asked = one.target()
    answer = one.complete()

    assert (asked["parts"], asked["done"]) == ([], [1, 2, 3])
    assert answer.json()["documents"][0]["status"] == "uploaded"
    assert one.stored() == one.content


def cut_off(*_: Any, **__: Any) -> None:
    raise ConnectionError


def test_the_sweep_completes_what_a_closed_tab_left(one: PartsClient, settings: Settings) -> None:
    settings.UPLOAD_IDLE_SECONDS = 0
    target = one.target()
    one.send(target, [1, 2])

    assert arrivals.sweep() == (0, 0)
    one.send(target, [3])

    assert arrivals.sweep() == (1, 0)
    assert one.document.status == Status.UPLOADED
    assert one.stored() == one.content


def test_a_listed_document_begins_nothing(one: PartsClient) -> None:
    answer = one.post("uploads", one.declared(), sign=False)

    assert answer.json()["documents"][0]["upload"] is None
    assert one.document.multipart is None


@pytest.mark.parametrize(
    ("size", "part_size"),
    [(20_000, 4), (40_000, 4), (40_001, 1024**2), (10_000 * 1024**2 + 1, 2 * 1024**2)],
)
def test_parts_grow_only_when_there_would_be_too_many(
    settings: Settings, size: int, part_size: int
) -> None:
    settings.PART_BYTES = 4

    assert multipart.part_size_for(size) == part_size
