"""What every storage backend promises about writing, over real HTTP."""

import hashlib
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from documents.errors import (
    AlreadyStoredError,
    ConflictError,
    InvalidError,
    InvalidPathError,
    ObjectMissingError,
)
from documents.storage.interface import Storage
from tests.documents import storage_backends
from tests.documents.storage_backends import BODY, PDF, Backend, presign, read, stat_of, upload

backend = storage_backends.backend
storage = storage_backends.storage
key = storage_backends.key
final = storage_backends.final

# --- a PUT by signed URL --------------------------------------------------------


def test_signed_put_stores_exactly_the_bytes(backend: Backend, storage: Storage, key: str) -> None:
    reply = upload(backend, presign(storage, key))

    stat = stat_of(storage, key)
    assert reply.status in {200, 201}
    assert read(storage, key) == BODY
    assert (stat.size, f'"{stat.etag}"') == (len(BODY), reply.headers["etag"])
    assert stat.sha256 in {None, hashlib.sha256(BODY).hexdigest()}


def test_signed_put_without_a_hash_stores_the_bytes(
    backend: Backend, storage: Storage, key: str
) -> None:
    reply = upload(backend, presign(storage, key, hashed=False))

    assert reply.status in {200, 201}
    assert read(storage, key) == BODY


def test_empty_object_is_an_object(backend: Backend, storage: Storage, key: str) -> None:
    reply = upload(backend, presign(storage, key, b""), b"")

    assert reply.status in {200, 201}
    assert stat_of(storage, key).size == 0
    assert read(storage, key) == b""


def test_presigned_put_says_when_it_expires(storage: Storage, key: str) -> None:
    put = presign(storage, key, expires_seconds=300)

    assert put.method == "PUT"
    assert 295 <= put.expires_at.timestamp() - time.time() <= 301


def test_other_bytes_of_the_same_length_are_refused_where_hashes_are_checked(
    backend: Backend, storage: Storage, key: str
) -> None:
    reply = upload(backend, presign(storage, key), BODY[:-1] + b"!")

    assert (reply.status == 400) == backend.enforced.hash
    assert (storage.stat(key) is None) == backend.enforced.hash


@pytest.mark.parametrize("body", [BODY + b"x", BODY[:-1], b""], ids=["longer", "shorter", "none"])
@pytest.mark.parametrize("hashed", [True, False])
def test_body_of_another_length_is_refused(
    backend: Backend, storage: Storage, key: str, body: bytes, hashed: bool
) -> None:
    reply = upload(backend, presign(storage, key, hashed=hashed), body)

    assert 400 <= reply.status < 500
    assert storage.stat(key) is None


def test_refused_put_leaves_the_url_usable(backend: Backend, storage: Storage, key: str) -> None:
    put = presign(storage, key)
    upload(backend, put, BODY[:-1] + b"!" if backend.enforced.hash else BODY[:-1])

    assert upload(backend, put).status in {200, 201}
    assert read(storage, key) == BODY


def test_body_of_another_type_is_refused(backend: Backend, storage: Storage, key: str) -> None:
    put = presign(storage, key)

    reply = backend.send("PUT", put.url, BODY, **{**put.headers, "Content-Type": "text/html"})

    assert 400 <= reply.status < 500
    assert storage.stat(key) is None


def test_put_without_a_length_is_refused(backend: Backend, storage: Storage, key: str) -> None:
    put = presign(storage, key)

    headers = {**put.headers, "Transfer-Encoding": "chunked"}
    reply = backend.send("PUT", put.url, b"5\r\nhello\r\n0\r\n\r\n", **headers)

    assert 400 <= reply.status < 500
    assert storage.stat(key) is None


def test_expired_put_is_refused(backend: Backend, storage: Storage, key: str) -> None:
    with backend.clock_set_back(seconds=301):
        put = presign(storage, key, expires_seconds=300)

    assert upload(backend, put).status == 403
    assert storage.stat(key) is None


def test_tampered_put_is_refused(backend: Backend, storage: Storage, key: str) -> None:
    put = presign(storage, key)

    accepted = [
        field
        for field, url in backend.tampered(put.url)
        if backend.send("PUT", url, BODY, **put.headers).status not in backend.enforced.denied
    ]

    assert accepted == []
    assert storage.stat(key) is None


def test_url_of_one_key_does_not_write_another(
    backend: Backend, storage: Storage, key: str
) -> None:
    put = presign(storage, key)
    other = f"incoming/{uuid.uuid4()}/{uuid.uuid4().hex}"

    reply = backend.send("PUT", put.url.replace(key, other), BODY, **put.headers)

    assert reply.status == 403
    assert storage.stat(other) is None
    assert storage.stat(key) is None


def test_url_climbing_out_of_its_key_is_refused(
    backend: Backend, storage: Storage, key: str
) -> None:
    put = presign(storage, key)

    for path in (f"{key}/../other", "../../etc/passwd", f"{key}%2F..%2Fother", f"/{key}", ""):
        assert backend.send("PUT", put.url.replace(key, path), BODY, **put.headers).status == 403
    assert list(storage.list(key)) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH"])
def test_write_url_serves_no_other_method(
    backend: Backend, storage: Storage, key: str, method: str
) -> None:
    put = presign(storage, key)
    upload(backend, put)

    reply = backend.send(method, put.url)

    assert reply.status in backend.enforced.denied
    assert BODY not in reply.body
    assert read(storage, key) == BODY


def test_replayed_put_is_refused(backend: Backend, storage: Storage, key: str) -> None:
    put = presign(storage, key, hashed=False)
    upload(backend, put)

    reply = upload(backend, put, b"x" * len(BODY))

    assert reply.status == 412
    assert read(storage, key) == BODY


def test_second_url_for_a_stored_key_is_refused(
    backend: Backend, storage: Storage, key: str
) -> None:
    upload(backend, presign(storage, key))

    assert upload(backend, presign(storage, key, b"other"), b"other").status == 412
    assert read(storage, key) == BODY


def test_one_of_concurrent_puts_wins(backend: Backend, storage: Storage, key: str) -> None:
    put = presign(storage, key, b"0" * 3_000_000, hashed=False)
    bodies = [str(number).encode() * 3_000_000 for number in range(4)]
    start = threading.Barrier(len(bodies))

    def race(body: bytes) -> int:
        start.wait()
        return upload(backend, put, body).status

    with ThreadPoolExecutor(len(bodies)) as pool:
        statuses = list(pool.map(race, bodies))

    won = [body for body, status in zip(bodies, statuses, strict=True) if status != 412]
    assert set(statuses) <= {200, 201, 412}
    assert read(storage, key) in won
    assert len(won) == 1 or not backend.enforced.one_winner


def test_disconnect_half_way_leaves_nothing(backend: Backend, storage: Storage, key: str) -> None:
    put = presign(storage, key, BODY * 1000)

    backend.hang_up(put, BODY * 1000)

    assert storage.stat(key) is None
    assert list(storage.list(key)) == []


def test_upload_can_be_repeated_after_a_disconnect(
    backend: Backend, storage: Storage, key: str
) -> None:
    put = presign(storage, key, BODY * 1000)
    backend.hang_up(put, BODY * 1000)

    assert upload(backend, put, BODY * 1000).status in {200, 201}
    assert read(storage, key) == BODY * 1000


@pytest.mark.parametrize("where", ["documents/a", "incoming", "incomingx/a", "thumbnails/a"])
def test_only_incoming_keys_are_signed_for_writing(storage: Storage, where: str) -> None:
    with pytest.raises(InvalidPathError):
        presign(storage, where)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": -1},
        {"sha256": "ABC"},
        {"sha256": "A" * 64},
        {"content_type": ""},
        {"content_type": "text/html\r\nX-Evil: 1"},
        {"expires_seconds": 0},
        {"expires_seconds": 86_401},
    ],
    ids=str,
)
def test_impossible_upload_is_not_signed(storage: Storage, key: str, wrong: Any) -> None:
    values = {"size": 1, "content_type": PDF, "sha256": None, "expires_seconds": 300, **wrong}

    with pytest.raises(InvalidError):
        storage.presign_put(key, **values)


# --- promotion ----------------------------------------------------------------


def test_promotion_moves_the_object_to_its_final_key(
    backend: Backend, storage: Storage, key: str, final: str
) -> None:
    upload(backend, presign(storage, key))

    storage.promote(key, final, if_etag=stat_of(storage, key).etag)

    assert read(storage, final) == BODY
    assert storage.stat(key) is None


def test_put_after_promotion_is_refused(
    backend: Backend, storage: Storage, key: str, final: str
) -> None:
    put = presign(storage, key, hashed=False)
    upload(backend, put)
    storage.promote(key, final, if_etag=stat_of(storage, key).etag)

    statuses = [upload(backend, put, body).status for body in (BODY, b"x" * len(BODY))]

    assert statuses == [412, 412]
    assert storage.stat(key) is None
    assert read(storage, final) == BODY


def test_put_after_deletion_is_refused(backend: Backend, storage: Storage, key: str) -> None:
    put = presign(storage, key)
    storage.delete(key)

    assert upload(backend, put).status == 412
    assert storage.stat(key) is None


def test_promotion_is_safe_to_repeat(
    backend: Backend, storage: Storage, key: str, final: str
) -> None:
    upload(backend, presign(storage, key))
    tag = stat_of(storage, key).etag

    storage.promote(key, final, if_etag=tag)
    storage.promote(key, final, if_etag=tag)

    assert read(storage, final) == BODY


def test_promotion_of_changed_bytes_is_refused(
    backend: Backend, storage: Storage, key: str, final: str
) -> None:
    upload(backend, presign(storage, key))
    tag = stat_of(storage, key).etag
    storage.put(key, b"something else", PDF)

    with pytest.raises(ConflictError):
        storage.promote(key, final, if_etag=tag)

    assert storage.stat(final) is None
    assert read(storage, key) == b"something else"


def test_promotion_never_overwrites_other_bytes(
    backend: Backend, storage: Storage, key: str, final: str
) -> None:
    storage.put(final, b"already here", PDF)
    upload(backend, presign(storage, key))

    with pytest.raises(AlreadyStoredError):
        storage.promote(key, final, if_etag=stat_of(storage, key).etag)

    assert read(storage, final) == b"already here"
    assert read(storage, key) == BODY


def test_promotion_onto_the_same_bytes_succeeds(
    backend: Backend, storage: Storage, key: str, final: str
) -> None:
    storage.put(final, BODY, PDF)
    upload(backend, presign(storage, key))

    storage.promote(key, final, if_etag=stat_of(storage, key).etag)

    assert read(storage, final) == BODY
    assert storage.stat(key) is None


def test_promotion_of_nothing_is_refused(storage: Storage, key: str, final: str) -> None:
    with pytest.raises(ObjectMissingError):
        storage.promote(key, final, if_etag="whatever")


def test_promotion_leaves_the_reach_of_write_urls(
    backend: Backend, storage: Storage, key: str
) -> None:
    upload(backend, presign(storage, key))

    with pytest.raises(InvalidPathError):
        storage.promote(key, "incoming/other", if_etag=stat_of(storage, key).etag)
    with pytest.raises(InvalidPathError):
        storage.promote("documents/a", "documents/b", if_etag="whatever")
