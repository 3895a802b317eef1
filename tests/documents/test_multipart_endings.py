"""Uploads in parts that come to nothing, or nearly: no part is left, and nothing is half there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from documents import clock, faults
from documents.errors import ObjectMissingError
from documents.models import Batch, Disposal, Document, Workspace
from documents.services import arrivals, deletion, disposal
from documents.states import Status
from documents.storage import get_storage
from documents.storage.interface import Multipart
from tests.documents import multipart_client
from tests.documents.multipart_client import PartsClient, configured
from tests.documents.storage_backends import LocalBackend
from tests.factories import make_user

PLACES = (
    *("multipart.after_begin", "multipart.after_update"),
    *("multipart.before_complete", "multipart.after_complete"),
    *("part.before_copy", "part.before_mark", "part.after_mark"),
    *("assembly.before_link", "assembly.after_link", "assembly.half_removed"),
)

pytestmark = pytest.mark.django_db(transaction=True)
ENDED: dict[str, Callable[[PartsClient], object]] = {
    "cancelled": lambda one: one.api.post(f"/api/v1/batches/{one.batch.id}/cancel"),
    "expired": lambda one: arrivals.expire(one.document),
    "deleted": lambda one: deletion.delete(one.document, make_user()),
}
backend = multipart_client.backend
one = multipart_client.one


@pytest.mark.parametrize("end", ENDED.values(), ids=ENDED)
def test_what_is_given_up_leaves_no_parts(
    one: PartsClient, batch: Batch, end: Callable[[PartsClient], object]
) -> None:
    target = one.target()
    one.send(target, [1])
    begun = one.under_way

    end(one)

    assert_gone(begun)
    assert {reply.status // 100 for reply in one.send(target, [2])} == {4}
    assert Workspace.objects.get(id=batch.workspace_id).reserved_bytes == 0


def assert_gone(begun: Multipart) -> None:
    with pytest.raises(ObjectMissingError):
        get_storage().list_parts(begun)


def test_parts_are_taken_away_again_when_nobody_can_send_one(one: PartsClient) -> None:
    one.target()
    begun = one.under_way
    arrivals.expire(one.document)

    (row,) = Disposal.objects.all()
    Disposal.objects.update(due_at=clock.now(), until=clock.now())

    assert (row.key, row.multipart_id) == (begun.key, begun.id)
    assert disposal.work_off() == 1
    assert not Disposal.objects.exists()


def test_an_expired_document_begins_anew(one: PartsClient) -> None:
    one.send(one.target(), [1])
    before = one.under_way
    arrivals.expire(one.document)

    target = one.target()

    assert target["done"] == []
    assert one.under_way.key != before.key
    one.send(target)
    assert one.complete().status_code == 200
    assert one.stored() == one.content


def test_a_resumed_document_begins_anew(one: PartsClient) -> None:
    one.send(one.target(), [1])
    for action in ("cancel", "resume"):
        one.api.post(f"/api/v1/batches/{one.batch.id}/{action}")

    target = one.target()
    one.send(target)

    assert target["done"] == []
    assert one.complete().status_code == 200


def test_a_complete_that_saw_other_bytes_accepts_nothing(
    one: PartsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.send(one.target())
    accept = arrivals.accept

    def too_late(*args: Any, **kwargs: Any) -> list[Document]:
        for action in ("cancel", "resume"):
            one.api.post(f"/api/v1/batches/{one.batch.id}/{action}")
        return accept(*args, **kwargs)

    monkeypatch.setattr(arrivals, "accept", too_late)
    one.complete()

    # It waits under another key by now, and nothing is there.
    assert one.document.status == Status.AWAITING


def test_an_upload_that_the_store_gave_up_begins_anew(one: PartsClient) -> None:
    one.send(one.target(), [1])
    before = one.under_way
    get_storage().abort_multipart(before)

    refused = one.complete()
    target = one.target()

    assert refused.json()["code"] == "object_missing"
    assert target["done"] == []
    assert one.under_way.id != before.id


def test_of_two_who_begin_at_once_one_wins(
    one: PartsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage: Any = get_storage()
    begin = type(storage).begin_multipart
    begun: list[Multipart] = []

    def begin_after_another(self: Any, *args: Any, **kwargs: Any) -> Multipart:
        mine: Multipart = begin(self, *args, **kwargs)
        if not begun:
            begun.append(mine)
            one.target()
        return mine

    monkeypatch.setattr(type(storage), "begin_multipart", begin_after_another)
    target = one.target()

    assert_gone(begun[0])
    assert one.under_way != begun[0]
    one.send(target)
    assert one.complete().status_code == 200
    assert one.stored() == one.content


def test_who_begins_while_it_is_cancelled_leaves_nothing(
    one: PartsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage: Any = get_storage()
    begin = type(storage).begin_multipart
    begun: list[Multipart] = []

    def begin_before_a_cancel(self: Any, *args: Any, **kwargs: Any) -> Multipart:
        begun.append(begin(self, *args, **kwargs))
        one.api.post(f"/api/v1/batches/{one.batch.id}/cancel")
        return begun[0]

    monkeypatch.setattr(type(storage), "begin_multipart", begin_before_a_cancel)

    assert one.ask()["upload"] is None
    assert_gone(begun[0])
    assert one.document.status == Status.CANCELLED


@pytest.mark.parametrize("place", PLACES)
def test_what_breaks_once_anywhere_is_gone_on_with(
    api: APIClient,
    batch: Batch,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    armed = tmp_path / place
    armed.write_text("raise")
    monkeypatch.setattr(faults, "_folder", str(tmp_path))
    # Like a browser, which sees a 500 and tries again.
    api.raise_request_exception = False

    with configured(LocalBackend, settings) as backend:
        one = PartsClient(api, batch, backend)
        for _ in range(3):
            answer = one.post("uploads", one.declared())
            if answer.status_code == 201:
                (upload,) = answer.json()["documents"]
                one.send(upload["upload"]["multipart"])
                if one.complete().status_code == 200:
                    break

        assert not armed.exists()
        assert one.document.status == Status.UPLOADED
        assert one.stored() == one.content


def test_a_hash_that_is_known_ends_an_upload_in_parts(one: PartsClient, batch: Batch) -> None:
    one.send(
        one.ask(sha256="")["upload"]["multipart"],
        [1],
    )
    begun = one.under_way
    original = Document.objects.create(
        workspace=batch.workspace,
        batch=batch,
        client_key="original",
        path="original.txt",
        name="original.txt",
        size=len(one.content),
        sha256=one.sha256,
        stored_key="stored/x",
        status=Status.READY,
    )

    told = one.ask()

    assert (told["status"], told["duplicate_of"]) == ("duplicate", str(original.id))
    assert_gone(begun)
    assert Workspace.objects.get(id=batch.workspace_id).reserved_bytes == 0
