"""Large documents are sent in parts, resumed from anywhere, and never half there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from documents import clock, faults
from documents.errors import ObjectMissingError
from documents.models import Batch, Disposal, Document, Workspace
from documents.services import arrivals, deletion, disposal, multipart
from documents.states import Status
from documents.storage import get_storage
from documents.storage.interface import Multipart
from tests.documents.multipart_client import STORES, PartsClient, configured
from tests.documents.storage_backends import Backend, LocalBackend
from tests.factories import make_batch, make_user

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


@pytest.fixture(params=STORES, ids=lambda store: store.__name__)
def backend(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Backend]:
    with configured(request.param, settings) as backend:
        yield backend


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_authenticate(make_user())
    return client


@pytest.fixture
def batch(api: APIClient) -> Batch:
    return make_batch(Workspace.objects.get())


@pytest.fixture
def one(api: APIClient, batch: Batch, backend: Backend) -> PartsClient:
    return PartsClient(api, batch, backend)


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

    def too_late(*args: Any, **kwargs: Any) -> None:
        for action in ("cancel", "resume"):
            one.api.post(f"/api/v1/batches/{one.batch.id}/{action}")
        accept(*args, **kwargs)

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


def test_a_listed_document_begins_nothing(one: PartsClient) -> None:
    answer = one.post("uploads", one.declared(), sign=False)

    assert answer.json()["documents"][0]["upload"] is None
    assert one.document.multipart is None


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


@pytest.mark.parametrize(
    ("size", "part_size"),
    [(20_000, 4), (40_000, 4), (40_001, 1024**2), (10_000 * 1024**2 + 1, 2 * 1024**2)],
)
def test_parts_grow_only_when_there_would_be_too_many(
    settings: Settings, size: int, part_size: int
) -> None:
    settings.PART_BYTES = 4

    assert multipart.part_size_for(size) == part_size
