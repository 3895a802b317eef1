"""Of a document in parts, too, only the bytes that were declared are taken, by its own links."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from documents.models import Workspace
from documents.services import arrivals
from documents.states import Status
from documents.storage import get_storage
from processing import reading, turns
from processing.models import StageName
from processing.sandbox import Sandbox
from tests.chaos.racing import wipe
from tests.chaos.test_uploads_refused import BELLS, REFUSED, flipped
from tests.chaos.trials import Trial, Trials
from tests.documents.multipart_client import STORES, PartsClient, configured
from tests.documents.storage_backends import Backend
from tests.documents.storage_server import Reply
from tests.factories import make_batch, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
N = (2, 10)
TAKEN = {200, 201}


@pytest.fixture(params=STORES, ids=lambda store: store.__name__)
def backend(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Backend]:
    """Each store in turn, as Sluice is configured to use it."""
    with configured(request.param, settings) as backend:
        yield backend


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(tasks=[reading.DETECT], preload="processing.extraction.task:warm_up")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def own_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "sandbox", sandbox)


def sender(trial: Trial, backend: Backend, path: str = "large.txt") -> PartsClient:
    """Return somebody with a large text to send, in a workspace of their own."""
    user = make_user()
    api = APIClient()
    api.force_authenticate(user)
    batch = make_batch(Workspace.objects.get(memberships__user=user))
    one = PartsClient(api, batch, backend, path)
    words = " ".join(trial.random.choices(["gate", "dawn", "lake"], k=50)).encode() + b"\n"
    one.content = (words * (len(one.content) // len(words) + 1))[: len(one.content)]
    return one


def verify() -> None:
    turns.work_on(StageName.VERIFY, BELLS)


def assert_refused(replies: list[Reply]) -> None:
    assert all(400 <= reply.status < 500 for reply in replies), [each.status for each in replies]


def assert_nothing_there(one: PartsClient) -> None:
    assert list(get_storage().list_parts(one.under_way)) == []
    assert one.complete().json()["code"] == "object_missing"


def assert_kept(one: PartsClient) -> None:
    """After all that, the owner's own bytes are taken, and are what is kept."""
    one.send(one.target())
    assert one.complete().status_code == 200
    verify()
    assert_stored(one)


def assert_stored(one: PartsClient) -> None:
    document = one.document
    assert (document.status, document.sha256) == (Status.PROCESSING, one.sha256)
    with get_storage().open(document.stored_key) as stream:
        assert stream.read() == one.content


@pytest.mark.promise("R8", REFUSED, fault="other bytes are in one part", trials=N)
def test_other_bytes_in_a_part_do_not_pass_verify(trials: Trials, backend: Backend) -> None:
    for trial in trials:
        wipe()
        one = sender(trial, backend)
        target = one.target()
        bad = trial.random.choice(target["parts"])
        one.send(target)
        body = one.part(bad["number"], target["part_size"])
        assert one.put(bad, flipped(trial.random, body)).status in TAKEN

        one.complete()
        verify()

        document = one.document
        assert (document.status, document.stored_key) == (Status.REJECTED, "")
        assert document.error_code == "hash_mismatch"
        stored = f"stored/{document.workspace_id}/"
        assert list(get_storage().list(stored)) == []


@pytest.mark.promise("R8", REFUSED, fault="a part has more or fewer bytes", trials=N)
def test_a_part_of_another_length_is_not_stored(trials: Trials, backend: Backend) -> None:
    for trial in trials:
        wipe()
        one = sender(trial, backend)
        target = one.target()
        last = target["parts"][-1]
        body = one.part(3, target["part_size"])

        cut = body[: trial.random.randrange(len(body))]
        more = body + trial.random.randbytes(9)
        replies = [one.put(last, other) for other in (cut, more)]

        assert_refused(replies)
        assert_nothing_there(one)
        assert_kept(one)


@pytest.mark.promise("R8", REFUSED, fault="another part after complete, and verify", trials=N)
def test_a_part_after_verify_changes_nothing(trials: Trials, backend: Backend) -> None:
    for trial in trials:
        wipe()
        one = sender(trial, backend)
        target = one.target()
        one.send(target)
        late = [flipped(trial.random, one.part(n, target["part_size"])) for n in (1, 2, 3)]

        one.complete()
        if backend.enforced.parts_closed:
            assert_refused([one.put(*each) for each in zip(target["parts"], late, strict=True)])
        verify()
        for each in zip(target["parts"], late, strict=True):
            one.put(*each)

        assert one.ask()["upload"] is None
        assert_stored(one)


@pytest.mark.promise("R8", REFUSED, fault="a part after its upload was given up", trials=N)
def test_a_part_after_an_end_is_refused(trials: Trials, backend: Backend) -> None:
    for trial in trials:
        wipe()
        one = sender(trial, backend)
        target = one.target()
        one.send(target, [1])
        if trial.random.random() < 0.5:
            arrivals.expire(one.document)
        else:
            for action in ("cancel", "resume"):
                one.api.post(f"/api/v1/batches/{one.batch.id}/{action}")

        assert_refused(one.send(target))

        fresh = one.target()
        assert fresh["done"] == []
        assert_kept(one)


@pytest.mark.promise("R8", REFUSED, fault="the link to a part has expired", trials=N)
def test_an_expired_link_takes_no_part(trials: Trials, backend: Backend) -> None:
    for trial in trials:
        wipe()
        one = sender(trial, backend)
        body = one.part(3, one.target()["part_size"])
        with backend.clock_set_back(seconds=trial.random.randint(300, 80_000)):
            put = get_storage().presign_part(one.under_way, 3, expires_seconds=300)

        reply = backend.send("PUT", put.url, body, **put.headers)

        assert reply.status == 403
        assert_nothing_there(one)
        assert_kept(one)


@pytest.mark.promise("R8", REFUSED, fault="the link to a part is altered or strayed", trials=N)
def test_a_link_serves_one_part_of_one_upload(trials: Trials, backend: Backend) -> None:
    for trial in trials:
        wipe()
        mine, theirs = sender(trial, backend), sender(trial, backend, "theirs.txt")
        part, other = mine.target()["parts"][0], theirs.target()["parts"][0]
        (path, _, query), their_path = part["url"].partition("?"), other["url"].partition("?")[0]
        calls = [("PUT", f"{their_path}?{query}"), ("PUT", f"{path}/../x?{query}"), ("PUT", path)]
        calls += [(method, part["url"]) for method in ("GET", "HEAD", "POST", "DELETE")]
        calls += [("PUT", link) for _, link in backend.tampered(part["url"])]
        calls.append(("PUT", with_another_sign(trial.random, part["url"])))

        for method, url in trial.random.sample(calls, len(calls)):
            assert_refused([backend.send(method, url, mine.part(1, backend.part_bytes))])

        for one in (mine, theirs):
            assert_nothing_there(one)
        assert_kept(theirs)


def with_another_sign(chance: Random, url: str) -> str:
    """Return the link with one sign of what is signed replaced; the last has bits of no meaning."""
    at = chance.randrange(url.index("?") + 3, len(url) - 2)
    signs = [sign for sign in "acX12" if sign.lower() != url[at].lower()]
    return url[:at] + chance.choice(signs) + url[at + 1 :]


@pytest.mark.promise("R16", "A stranger sends nothing into it", fault="another's parts", trials=N)
def test_a_stranger_completes_and_asks_for_nothing(trials: Trials, backend: Backend) -> None:
    for trial in trials:
        wipe()
        mine, theirs = sender(trial, backend), sender(trial, backend, "theirs.txt")
        theirs.send(theirs.target())
        upload = theirs.under_way
        named = [{"number": 1, "etag": get_storage().list_parts(upload)[0].etag}]
        body: dict[str, Any] = {"documents": [{"id": str(theirs.document.id), "parts": named}]}

        answers = [
            mine.api.post(f"/api/v1/batches/{batch.id}/complete", body, format="json")
            for batch in (theirs.batch, mine.batch)
        ]
        asked = mine.api.post(
            f"/api/v1/batches/{theirs.batch.id}/uploads",
            {"documents": [theirs.declared()]},
            format="json",
        )

        assert {answer.status_code for answer in (*answers, asked)} == {404}
        assert upload.id not in asked.content.decode()
        assert theirs.document.status == Status.AWAITING
