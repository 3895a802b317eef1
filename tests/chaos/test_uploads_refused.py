"""Only the bytes that were declared, under the link that was signed for them, are taken."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from uuid import uuid4

import pytest

from documents.models import Batch, Document
from documents.services.arrivals import complete
from documents.services.uploads import Declaration, Upload, register, sign
from documents.states import Status
from documents.storage import get_local_storage
from documents.storage.http import StorageApp
from documents.storage.interface import PresignedPut
from processing import reading, turns
from processing.models import StageName
from processing.sandbox import Sandbox
from tests.chaos.racing import wipe
from tests.chaos.trials import Trials
from tests.documents.storage_backends import LocalBackend, upload
from tests.documents.storage_server import CountedApp, Reply, serve
from tests.factories import make_batch

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
REFUSED = "No other bytes are accepted than those that were declared"
N = (3, 20)
BELLS = turns.Bells(ring=lambda stage: None, ring_quarantine=lambda: None)


@pytest.fixture(scope="module")
def backend() -> Iterator[LocalBackend]:
    """The configured store, behind the HTTP that browsers meet."""
    storage = get_local_storage()
    app = CountedApp(StorageApp(storage))
    with serve(app) as address:
        yield LocalBackend(storage, app, address)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(tasks=[reading.DETECT], preload="processing.extraction.task:warm_up")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def own_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify in a sandbox that ends with these tests; once closed, one never opens again."""
    monkeypatch.setattr(reading, "sandbox", sandbox)


@dataclass(frozen=True, slots=True)
class Promised:
    """A document that waits for exactly these bytes."""

    batch: Batch
    content: bytes
    upload: Upload

    @property
    def put(self) -> PresignedPut:
        assert self.upload.put is not None
        return self.upload.put

    @property
    def document(self) -> Document:
        return Document.objects.get(id=self.upload.document.id)

    def complete(self) -> None:
        complete(self.batch, [self.upload.document.id])

    def renewed(self) -> "Promised":
        """Return it with the link that its owner gets now."""
        return Promised(self.batch, self.content, sign(self.document))


def promised(chance: Random, batch: Batch | None = None, *, hashed: bool = True) -> Promised:
    batch = batch or make_batch()
    words = chance.choices(["gate", "dawn", "lantern", "lake", "evening"], k=chance.randint(2, 400))
    content = (" ".join(words) + f" {uuid4()}").encode()
    sha256 = hashlib.sha256(content).hexdigest() if hashed else ""
    path = f"{uuid4()}.txt"
    (made,) = register(batch, [Declaration(path, path, len(content), sha256, "text/plain")]).uploads
    return Promised(batch, content, made)


def verify() -> None:
    turns.work_on(StageName.VERIFY, BELLS)


def assert_nothing_taken(backend: LocalBackend, one: Promised) -> None:
    """Telling that it arrived, and verify, make nothing of what was refused."""
    one.complete()
    verify()

    document = one.document
    assert (document.status, document.stored_key) == (Status.AWAITING, "")
    # The key may have been replaced: an object of another size uses one up.
    assert list(backend.storage.list(f"incoming/{document.id}/")) == []
    assert stored(backend, document) == []


def stored(backend: LocalBackend, document: Document) -> list[str]:
    return [key for key, _ in backend.storage.list(f"stored/{document.workspace_id}/")]


def assert_still_usable(backend: LocalBackend, one: Promised) -> None:
    """The owner's own bytes are taken after all that, and are the ones that are kept."""
    again = one.renewed()
    assert upload(backend, again.put, one.content).status == 201
    assert_kept(backend, one)


def assert_kept(backend: LocalBackend, one: Promised) -> None:
    """The document has its own bytes, and nothing else is kept."""
    one.complete()
    verify()

    document = one.document
    assert document.status == Status.PROCESSING
    assert document.sha256 == hashlib.sha256(one.content).hexdigest()
    assert stored(backend, document) == [document.stored_key]
    with backend.storage.open(document.stored_key) as stream:
        assert stream.read() == one.content


def flipped(chance: Random, content: bytes) -> bytes:
    """Return the content with one bit another."""
    at = chance.randrange(len(content))
    bit = 1 << chance.randrange(8)
    return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]


def longer(chance: Random, content: bytes) -> bytes:
    return content + chance.randbytes(chance.randint(1, 5000))


def shorter(chance: Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content))]


OTHERS = {"another bit": flipped, "longer": longer, "shorter": shorter}
other_bytes = pytest.mark.parametrize("other", OTHERS.values(), ids=list(OTHERS))


@pytest.mark.promise("R8", REFUSED, fault="other, more or fewer bytes are PUT", trials=N)
@other_bytes
def test_other_bytes_are_not_stored(
    trials: Trials, backend: LocalBackend, other: Callable[[Random, bytes], bytes]
) -> None:
    for trial in trials:
        wipe()
        one = promised(trial.random)

        reply = upload(backend, one.put, other(trial.random, one.content))

        assert 400 <= reply.status < 500
        assert_nothing_taken(backend, one)
        assert_still_usable(backend, one)


@pytest.mark.promise("R8", REFUSED, fault="the connection ends within the bytes", trials=N)
def test_an_upload_that_breaks_off_is_not_stored(trials: Trials, backend: LocalBackend) -> None:
    for trial in trials:
        wipe()
        one = promised(trial.random, hashed=trial.random.random() < 0.5)

        backend.hang_up(one.put, one.content)

        assert_nothing_taken(backend, one)
        assert_still_usable(backend, one)


@pytest.mark.promise("R8", REFUSED, fault="other bytes are in the store, past its door", trials=N)
@other_bytes
def test_other_bytes_that_a_store_let_in_do_not_pass_verify(
    trials: Trials, backend: LocalBackend, other: Callable[[Random, bytes], bytes]
) -> None:
    for trial in trials:
        wipe()
        one = promised(trial.random)
        changed = other(trial.random, one.content)
        backend.storage.put(one.document.incoming_key, changed, "text/plain")

        one.complete()
        verify()

        document = one.document
        # Of another size, they are refused before there is any work; else by verify.
        refused = Status.REJECTED if len(changed) == len(one.content) else Status.AWAITING
        assert (document.status, document.stored_key) == (refused, "")
        assert stored(backend, document) == []


@pytest.mark.promise("R8", REFUSED, fault="another PUT after complete, and after verify", trials=N)
def test_a_put_after_complete_changes_nothing(trials: Trials, backend: LocalBackend) -> None:
    for trial in trials:
        wipe()
        one = promised(trial.random, hashed=trial.random.random() < 0.5)
        attempts = [one.content, flipped(trial.random, one.content)]
        assert upload(backend, one.put, one.content).status == 201

        def try_all(one: Promised = one, attempts: list[bytes] = attempts) -> list[Reply]:
            return [upload(backend, one.put, content) for content in attempts]

        one.complete()
        replies = try_all()
        verify()
        replies += try_all()

        assert all(400 <= reply.status < 500 for reply in replies)
        assert one.renewed().upload.put is None
        assert_kept(backend, one)


@pytest.mark.promise("R8", REFUSED, fault="the link has expired", trials=N)
def test_an_expired_link_takes_nothing(trials: Trials, backend: LocalBackend) -> None:
    for trial in trials:
        wipe()
        with backend.clock_set_back(seconds=trial.random.randint(300, 100_000)):
            one = promised(trial.random)

        reply = upload(backend, one.put, one.content)

        assert reply.status == 403
        assert_nothing_taken(backend, one)
        assert_still_usable(backend, one)


@pytest.mark.promise("R8", REFUSED, fault="what is signed in the link was changed", trials=N)
def test_a_tampered_link_takes_nothing(trials: Trials, backend: LocalBackend) -> None:
    for trial in trials:
        wipe()
        one = promised(trial.random)
        links = [link for _, link in backend.tampered(one.put.url)]
        links += [with_another_sign(trial.random, one.put.url) for _ in range(5)]

        replies = [backend.send("PUT", link, one.content, **one.put.headers) for link in links]

        assert {reply.status for reply in replies} == {403}
        assert_nothing_taken(backend, one)
        assert_still_usable(backend, one)


def with_another_sign(chance: Random, url: str) -> str:
    """Return the link with one sign of its token replaced, signature or content."""
    start, token = url.split("?t=")
    # The last sign of base64 has bits that mean nothing.
    at = chance.randrange(len(token) - 1)
    signs = [sign for sign in "abcXYZ012-_" if sign != token[at]]
    return f"{start}?t={token[:at]}{chance.choice(signs)}{token[at + 1 :]}"


@pytest.mark.promise("R8", REFUSED, fault="a link is used for another key or method", trials=N)
def test_a_link_serves_no_other_key(trials: Trials, backend: LocalBackend) -> None:
    for trial in trials:
        wipe()
        mine, theirs = promised(trial.random), promised(trial.random)
        path, token = mine.put.url.split("?t=")
        their_path = theirs.put.url.split("?t=")[0]
        final = f"/storage/stored/{theirs.document.workspace_id}/{theirs.document.id}"
        read = backend.storage.presign_get(
            mine.document.incoming_key,
            filename="a.txt",
            content_type="text/plain",
            expires_seconds=300,
        )
        calls = [
            ("PUT", f"{their_path}?t={token}"),
            ("PUT", f"{final}?t={token}"),
            ("PUT", f"{path}/../{theirs.document.id}?t={token}"),
            ("PUT", read),
            ("DELETE", mine.put.url),
            ("POST", mine.put.url),
            ("GET", mine.put.url),
        ]

        for method, url in trial.random.sample(calls, len(calls)):
            reply = backend.send(method, url, mine.content, **mine.put.headers)
            assert 400 <= reply.status < 500, (method, url)

        for one in (mine, theirs):
            assert_nothing_taken(backend, one)
            assert_still_usable(backend, one)
