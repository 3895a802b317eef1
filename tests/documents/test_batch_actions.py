"""cancel and retry of some documents of a batch: those, and no others."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from documents.errors import CorruptError
from documents.models import AuditEntry, Batch, Document
from documents.states import Status
from processing import leases
from processing.models import RunState, StageName, StageRun
from tests.config.test_schema import assert_is_told
from tests.config.test_schema import schema as schema  # A fixture.
from tests.factories import make_batch, make_document
from tests.processing.lifecycle import arrived, claim, verify

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/batches/{batch_id}/{action}"


def act(api: APIClient, batch: Batch, action: str, *documents: Any) -> Any:
    ids = [str(getattr(each, "id", each)) for each in documents]
    address = f"/api/v1/batches/{batch.id}/{action}"
    return api.post(address, {"documents": ids}, format="json")


def statuses(batch: Batch) -> dict[str, str]:
    return dict(Document.objects.filter(batch=batch).values_list("name", "status"))


def arrived_and_failed(batch: Batch, name: str) -> Document:
    content = f"Gate {name}.".encode()
    document = arrived(batch, content, name)
    verify(document, content)
    leases.fail(claim(document, StageName.EXTRACT), CorruptError())
    return document


def test_only_the_chosen_documents_are_cancelled(
    api: APIClient, batch: Batch, schema: dict[str, Any]
) -> None:
    one, two, _ = (make_document(batch, path=name, reserved_bytes=0) for name in "abc")

    answer = act(api, batch, "cancel", one, two, one)

    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["errors"]) == (str(batch.id), [])
    assert answer.json()["cancelled_at"] is None
    assert statuses(batch) == {"a": "cancelled", "b": "cancelled", "c": "awaiting"}
    assert AuditEntry.objects.get().details["count"] == 2
    assert_is_told(schema, "post", ADDRESS, answer)


def test_only_the_chosen_documents_are_tried_again(api: APIClient, batch: Batch) -> None:
    failed = [arrived_and_failed(batch, name) for name in "ab"]

    answer = act(api, batch, "retry", failed[0])

    assert answer.status_code == 200
    assert statuses(batch) == {"a": Status.PROCESSING, "b": Status.FAILED}
    assert StageRun.objects.filter(document=failed[1], state=RunState.READY).count() == 0


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_ids_of_others_are_refused_like_unknown_ones(
    api: APIClient, batch: Batch, action: str, schema: dict[str, Any]
) -> None:
    own = make_document(batch)
    other_batch, other_workspace = make_document(make_batch(batch.workspace)), make_document()
    bad = [other_batch.id, other_workspace.id, uuid4()]

    answer = act(api, batch, action, own, *bad)

    errors = answer.json()["errors"]
    assert answer.status_code == 200
    assert [error.pop("id") for error in errors] == [str(each) for each in bad]
    assert {error["code"] for error in errors} == {"not_found"}
    assert errors[0] == errors[1] == errors[2]
    assert Document.objects.filter(status=Status.CANCELLED).count() == (action == "cancel")
    assert_is_told(schema, "post", ADDRESS, act(api, batch, action, own, *bad))


def test_when_no_id_is_of_this_batch_nothing_is_done(
    api: APIClient, batch: Batch, schema: dict[str, Any]
) -> None:
    make_document(batch)

    answer = act(api, batch, "cancel", uuid4(), uuid4())

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert len(answer.json()["errors"]) == 2
    assert not AuditEntry.objects.exists()
    assert_is_told(schema, "post", ADDRESS, answer)


@pytest.mark.parametrize(
    ("action", "body", "code"),
    [
        # An empty list is not the absence of one, which means all.
        ("cancel", {"documents": []}, "window_too_large"),
        ("cancel", {"documents": [str(uuid4()) for _ in range(501)]}, "window_too_large"),
        ("cancel", {"documents": None}, "invalid"),
        ("cancel", {"documents": "all"}, "invalid"),
        ("retry", {"documents": ["a.txt"]}, "invalid"),
        ("resume", {"documents": [str(uuid4())]}, "invalid"),
    ],
)
def test_a_list_that_makes_no_sense_does_nothing(
    api: APIClient, batch: Batch, action: str, body: Any, code: str
) -> None:
    document = make_document(batch)

    answer = api.post(f"/api/v1/batches/{batch.id}/{action}", body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    document.refresh_from_db()
    assert document.status == Status.AWAITING


@pytest.mark.parametrize("body", [None, {}])
def test_without_a_list_the_whole_batch_is_meant(api: APIClient, batch: Batch, body: Any) -> None:
    make_document(batch)

    answer = api.post(f"/api/v1/batches/{batch.id}/cancel", body, format="json")

    assert answer.status_code == 200
    assert "errors" not in answer.json()
    assert answer.json()["cancelled_at"] is not None
    assert set(statuses(batch).values()) == {Status.CANCELLED}
