"""What every storage backend promises about objects that arrive in parts, over real HTTP."""

import hashlib
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

import pytest

from documents.errors import (
    AlreadyStoredError,
    InvalidError,
    InvalidPathError,
    ObjectMissingError,
    StorageError,
)
from documents.storage.interface import MAX_PARTS, Multipart, Part, Storage
from tests.documents import storage_backends
from tests.documents.storage_backends import BODY, PDF, Backend, presign, read, stat_of, upload
from tests.documents.storage_server import Reply

backend = storage_backends.backend
storage = storage_backends.storage
key = storage_backends.key
final = storage_backends.final

TAKEN = {200, 201}


@cache
def content_for(part_bytes: int) -> bytes:
    """Return two whole parts and a short third."""
    return random.Random(1).randbytes(2 * part_bytes + 1000)


@pytest.fixture
def content(backend: Backend) -> bytes:
    return content_for(backend.part_bytes)


@pytest.fixture
def begun(backend: Backend, key: str, content: bytes) -> Multipart:
    """Begin the upload of three parts."""
    return backend.storage.begin_multipart(
        key, size=len(content), part_size=backend.part_bytes, content_type=PDF
    )


def part_of(begun: Multipart, number: int, content: bytes) -> bytes:
    return content[begun.offset(number) :][: begun.length(number)]


def send(backend: Backend, begun: Multipart, number: int, body: bytes) -> Reply:
    """Send a body to the fresh URL of a part."""
    put = backend.storage.presign_part(begun, number, expires_seconds=300)
    return backend.send(put.method, put.url, body, **put.headers)


def send_all(
    backend: Backend, begun: Multipart, content: bytes, numbers: Sequence[int] = (3, 1, 2)
) -> list[Part]:
    for number in numbers:
        assert send(backend, begun, number, part_of(begun, number, content)).status in TAKEN
    return list(backend.storage.list_parts(begun))


def complete(backend: Backend, begun: Multipart, content: bytes) -> None:
    backend.storage.complete_multipart(begun, send_all(backend, begun, content))


# --- arriving -------------------------------------------------------------------


def test_parts_in_any_order_become_the_object(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    parts = send_all(backend, begun, content)

    assert storage.stat(begun.key) is None
    storage.complete_multipart(begun, parts)

    assert [(part.number, part.size) for part in parts] == [
        (number, begun.length(number)) for number in (1, 2, 3)
    ]
    assert read(storage, begun.key) == content
    assert stat_of(storage, begun.key).size == len(content)


def test_one_part_is_enough_for_a_small_object(
    backend: Backend, storage: Storage, key: str
) -> None:
    body = BODY[:1000]
    begun = storage.begin_multipart(
        key, size=len(body), part_size=backend.part_bytes, content_type=PDF
    )

    send(backend, begun, 1, body)
    storage.complete_multipart(begun, storage.list_parts(begun))

    assert (begun.part_count, read(storage, key)) == (1, body)


def test_the_store_lists_what_it_holds_under_the_tag_it_answered(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    assert list(storage.list_parts(begun)) == []

    reply = send(backend, begun, 2, part_of(begun, 2, content))

    (part,) = storage.list_parts(begun)
    assert (part.number, f'"{part.etag}"') == (2, reply.headers["etag"])


def test_a_part_that_is_sent_again_replaces_the_first(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    wrong = send(backend, begun, 1, bytes(begun.length(1)))
    complete(backend, begun, content)

    assert wrong.status in TAKEN
    assert read(storage, begun.key) == content


def test_a_body_of_another_length_is_no_part(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    last = part_of(begun, 3, content)

    replies = [send(backend, begun, 3, body) for body in (last + b"x", last[:-1], b"")]

    assert all(400 <= reply.status < 500 for reply in replies)
    assert list(storage.list_parts(begun)) == []


def test_a_part_that_breaks_off_is_not_there(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    put = storage.presign_part(begun, 3, expires_seconds=300)

    backend.hang_up(put, part_of(begun, 3, content))

    assert list(storage.list_parts(begun)) == []
    complete(backend, begun, content)
    assert read(storage, begun.key) == content


def test_many_who_send_one_part_never_mix_their_bytes(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    send_all(backend, begun, content, (2, 3))
    bodies = [bytes([sign]) * begun.length(1) for sign in range(6)]

    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda body: send(backend, begun, 1, body), bodies))
    storage.complete_multipart(begun, storage.list_parts(begun))

    stored = read(storage, begun.key)
    assert {reply.status for reply in replies} <= TAKEN
    assert stored[: begun.length(1)] in bodies
    assert stored[begun.length(1) :] == content[begun.length(1) :]


# --- completing -----------------------------------------------------------------


def test_completing_again_changes_nothing(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    parts = send_all(backend, begun, content)
    storage.complete_multipart(begun, parts)
    first = stat_of(storage, begun.key)

    storage.complete_multipart(begun, parts)

    assert stat_of(storage, begun.key) == first


def test_completing_at_once_makes_one_object(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    parts = send_all(backend, begun, content)

    def complete_it(_: int) -> None:
        # Who came second may be told that another was first, or is at it (Ceph: 500).
        with suppress(AlreadyStoredError, StorageError):
            storage.complete_multipart(begun, parts)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(complete_it, range(4)))

    assert read(storage, begun.key) == content


def test_missing_parts_cannot_be_completed(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    parts = send_all(backend, begun, content, (1, 3))

    with pytest.raises(ObjectMissingError):
        storage.complete_multipart(begun, parts)

    assert storage.stat(begun.key) is None
    send(backend, begun, 2, part_of(begun, 2, content))
    storage.complete_multipart(begun, storage.list_parts(begun))
    assert read(storage, begun.key) == content


def test_a_part_replaced_since_it_was_listed_stops_the_completion(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    parts = send_all(backend, begun, content)
    send(backend, begun, 1, bytes(begun.length(1)))

    with pytest.raises(ObjectMissingError):
        storage.complete_multipart(begun, parts)

    assert storage.stat(begun.key) is None


def test_a_part_after_completion_never_changes_the_object(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    complete(backend, begun, content)

    replies = [send(backend, begun, number, bytes(begun.length(number))) for number in (1, 2, 3)]

    if backend.enforced.parts_closed:
        assert all(400 <= reply.status < 500 for reply in replies)
        assert read(storage, begun.key) == content
    else:
        with pytest.raises(StorageError):
            read(storage, begun.key)


def test_a_part_after_promotion_changes_nothing(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes, final: str
) -> None:
    complete(backend, begun, content)
    storage.promote(begun.key, final, if_etag=stat_of(storage, begun.key).etag)

    send(backend, begun, 1, bytes(begun.length(1)))

    assert storage.stat(begun.key) is None
    assert hashlib.sha256(read(storage, final)).digest() == hashlib.sha256(content).digest()


def test_promoting_again_after_an_interruption_succeeds(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes, final: str
) -> None:
    complete(backend, begun, content)
    etag = stat_of(storage, begun.key).etag

    storage.promote(begun.key, final, if_etag=etag)
    storage.promote(begun.key, final, if_etag=etag)

    assert read(storage, final) == content


def test_parts_do_not_replace_what_the_key_was_used_for(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    parts = send_all(backend, begun, content)
    storage.delete(begun.key)

    if backend.enforced.one_object:
        with pytest.raises(AlreadyStoredError):
            storage.complete_multipart(begun, parts)
        assert storage.stat(begun.key) is None
    else:
        storage.complete_multipart(begun, parts)


# --- giving up ------------------------------------------------------------------


def test_an_aborted_upload_takes_nothing_more(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    parts = send_all(backend, begun, content)

    storage.abort_multipart(begun)
    storage.abort_multipart(begun)

    assert 400 <= send(backend, begun, 1, part_of(begun, 1, content)).status < 500
    with pytest.raises(ObjectMissingError):
        storage.list_parts(begun)
    # Ceph takes it for one that is being completed (500).
    with pytest.raises((ObjectMissingError, StorageError)):
        storage.complete_multipart(begun, parts)
    assert storage.stat(begun.key) is None


def test_aborting_after_completion_leaves_the_object(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    complete(backend, begun, content)

    storage.abort_multipart(begun)

    assert read(storage, begun.key) == content


def test_the_sweep_leaves_uploads_that_go_on(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    send(backend, begun, 1, part_of(begun, 1, content))

    storage.sweep()

    assert len(storage.list_parts(begun)) == 1


# --- links ----------------------------------------------------------------------


def test_a_link_serves_no_other_part_upload_key_or_method(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    other = storage.begin_multipart(
        begun.key, size=len(content), part_size=backend.part_bytes, content_type=PDF
    )
    put = storage.presign_part(begun, 1, expires_seconds=300)
    body = part_of(begun, 1, content)
    theirs = storage.presign_part(other, 1, expires_seconds=300)
    path, _, query = put.url.partition("?")
    calls = [
        ("PUT", f"{path}x?{query}"),
        ("PUT", f"{theirs.url.partition('?')[0]}y?{query}"),
        *((method, put.url) for method in ("GET", "HEAD", "POST", "DELETE")),
        *(("PUT", forged) for _, forged in backend.tampered(put.url)),
    ]

    replies = [backend.send(method, url, body) for method, url in calls]

    assert {reply.status for reply in replies} <= backend.enforced.denied
    assert list(storage.list_parts(begun)) == list(storage.list_parts(other)) == []


def test_an_expired_link_takes_no_part(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    with backend.clock_set_back(seconds=301):
        put = storage.presign_part(begun, 3, expires_seconds=300)

    assert backend.send("PUT", put.url, part_of(begun, 3, content)).status == 403
    assert list(storage.list_parts(begun)) == []


def test_a_link_to_the_whole_object_is_no_link_to_a_part(
    backend: Backend, storage: Storage, begun: Multipart, content: bytes
) -> None:
    whole = presign(storage, begun.key, BODY)

    assert upload(backend, whole).status in TAKEN

    assert list(storage.list_parts(begun)) == []


@pytest.mark.parametrize("number", [0, -1, 4])
def test_there_is_no_link_to_a_part_that_does_not_exist(
    storage: Storage, begun: Multipart, number: int
) -> None:
    with pytest.raises(InvalidError):
        storage.presign_part(begun, number, expires_seconds=300)


def test_only_incoming_keys_arrive_in_parts(storage: Storage, final: str) -> None:
    with pytest.raises(InvalidPathError):
        storage.begin_multipart(final, size=10, part_size=5, content_type=PDF)


@pytest.mark.parametrize("size", [0, -1, 6 * 1024**2 * MAX_PARTS + 1])
def test_no_object_has_no_parts_or_too_many(storage: Storage, key: str, size: int) -> None:
    with pytest.raises(InvalidError):
        storage.begin_multipart(key, size=size, part_size=6 * 1024**2, content_type=PDF)
