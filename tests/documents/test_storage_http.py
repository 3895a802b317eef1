"""How the local store's application answers over HTTP, beyond the contract."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from asgiref.typing import (
    ASGIReceiveEvent,
    ASGISendEvent,
    HTTPRequestEvent,
    HTTPResponseStartEvent,
    HTTPScope,
)
from pytest_django import Settings

from documents.errors import StorageFullError
from documents.storage import http as storage_http
from documents.storage.http import StorageApp
from documents.storage.interface import PresignedPut
from documents.storage.local import LocalStorage
from tests.documents.storage_backends import (
    BODY,
    PDF,
    LocalBackend,
    presign,
    read_url,
    stat_of,
    upload,
)
from tests.documents.storage_server import Reply

KEY = "incoming/document/nonce"
FINAL = "documents/document"


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    """Run a local store of its own for each test."""
    with LocalBackend.running(tmp_path / "store") as running:
        yield running


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """Give the port of that store."""
    return LocalStorage(tmp_path / "store")


def files(storage: LocalStorage, directory: str) -> list[Path]:
    """Return every file below one of the store's directories."""
    return [path for path in (storage.root / directory).rglob("*") if path.is_file()]


def code(reply: Reply) -> str:
    """Return the problem's code after checking its form."""
    problem = json.loads(reply.body)
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "code", "title", "detail", "status"}
    assert problem["status"] == reply.status
    return str(problem["code"])


def test_every_refusal_has_its_code(backend: LocalBackend, storage: LocalStorage) -> None:
    put = presign(storage, KEY)
    other_type = {**put.headers, "Content-Type": "text/html"}
    chunked = {**put.headers, "Transfer-Encoding": "chunked"}
    with backend.clock_set_back(seconds=600):
        expired = presign(storage, KEY)

    assert code(backend.send("PUT", "/storage/x", BODY)) == "url_invalid"
    assert code(backend.send("PUT", put.url + "x", BODY, **put.headers)) == "url_invalid"
    assert code(backend.send("DELETE", put.url)) == "url_invalid"
    assert code(upload(backend, expired)) == "url_expired"
    assert code(upload(backend, put, b"x")) == "size_mismatch"
    assert code(upload(backend, put, b"x" * len(BODY))) == "hash_mismatch"
    assert code(backend.send("PUT", put.url, BODY, **other_type)) == "type_refused"
    assert code(backend.send("PUT", put.url, b"0\r\n\r\n", **chunked)) == "length_required"
    assert upload(backend, put).status == 201
    assert code(upload(backend, put)) == "already_stored"
    assert code(backend.send("GET", read_url(storage, "documents/x"))) == "not_found"
    assert code(backend.send("GET", read_url(storage, KEY), Range="bytes=9999-")) == (
        "range_not_satisfiable"
    )


def test_download_can_never_act(backend: LocalBackend, storage: LocalStorage) -> None:
    storage.put(FINAL, b"<script>alert(1)</script>", "text/html")

    reply = backend.send("GET", read_url(storage, FINAL, content_type="text/html"))

    assert reply.status == 200
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert reply.headers["cache-control"] == "private"


def test_head_describes_without_the_bytes(backend: LocalBackend, storage: LocalStorage) -> None:
    storage.put(FINAL, BODY, PDF)

    reply = backend.send("HEAD", read_url(storage, FINAL), Range="bytes=0-1")

    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(BODY))
    assert reply.headers["accept-ranges"] == "bytes"


def test_range_of_an_object_that_changed_is_the_whole_object(
    backend: LocalBackend, storage: LocalStorage
) -> None:
    storage.put(FINAL, BODY, PDF)
    url, tag = read_url(storage, FINAL), stat_of(storage, FINAL).etag

    same = backend.send("GET", url, Range="bytes=0-1", If_Range=f'"{tag}"')
    changed = backend.send("GET", url, Range="bytes=0-1", If_Range='"older"')

    assert (same.status, same.body) == (206, BODY[:2])
    assert (changed.status, changed.body) == (200, BODY)


def test_refusal_of_the_range_tells_the_size(backend: LocalBackend, storage: LocalStorage) -> None:
    storage.put(FINAL, BODY, PDF)

    reply = backend.send("GET", read_url(storage, FINAL), Range="bytes=9999-")

    assert reply.headers["content-range"] == f"bytes */{len(BODY)}"


def test_full_disk_is_said_and_leaves_nothing(
    backend: LocalBackend, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    put = presign(storage, KEY)
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", fail)
        reply = upload(backend, put)
        with pytest.raises(StorageFullError):
            storage.put(FINAL, BODY, PDF)

    assert (reply.status, code(reply)) == (507, "storage_full")
    assert int(reply.headers["retry-after"]) > 0
    assert files(storage, "incomplete") == files(storage, "objects") == []
    assert upload(backend, put).status == 201


def test_stalled_upload_is_given_up(
    backend: LocalBackend, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_http, "IDLE_SECONDS", 0.05)
    put = presign(storage, KEY)

    reply = backend.send("PUT", put.url, None, **put.headers, Content_Length=str(len(BODY)))

    assert (reply.status, code(reply)) == (400, "size_mismatch")
    assert files(storage, "incomplete") == files(storage, "objects") == []


def test_upload_that_takes_longer_than_a_day_is_refused(
    backend: LocalBackend, storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_http, "MAX_UPLOAD_SECONDS", -1000)

    assert code(upload(backend, presign(storage, KEY))) == "url_expired"
    assert storage.stat(KEY) is None


def test_wrong_length_is_refused_before_the_body_comes(
    backend: LocalBackend, storage: LocalStorage
) -> None:
    put = presign(storage, KEY)

    reply = backend.send("PUT", put.url, None, **put.headers, Content_Length="999999999")

    assert code(reply) == "size_mismatch"


def test_taken_key_is_refused_before_the_body_comes(
    backend: LocalBackend, storage: LocalStorage
) -> None:
    put = presign(storage, KEY)
    upload(backend, put)

    reply = backend.send("PUT", put.url, None, **put.headers, Content_Length=str(len(BODY)))

    assert code(reply) == "already_stored"


@pytest.mark.parametrize("chunks", [[BODY, b"x"], [BODY[:-1]], [BODY + b"x"]])
async def test_server_that_miscounts_the_body_is_not_believed(
    storage: LocalStorage, chunks: list[bytes]
) -> None:
    put = presign(storage, KEY, hashed=False)
    events: list[HTTPRequestEvent] = [
        {"type": "http.request", "body": chunk, "more_body": chunk is not chunks[-1]}
        for chunk in chunks
    ]
    sent: list[ASGISendEvent] = []

    async def receive() -> ASGIReceiveEvent:
        return events.pop(0)

    async def send(event: ASGISendEvent) -> None:
        sent.append(event)

    await StorageApp(storage)(scope_of(put, len(BODY)), receive, send)

    assert cast(HTTPResponseStartEvent, sent[0])["status"] == 400
    assert files(storage, "incomplete") == files(storage, "objects") == []


def scope_of(put: PresignedPut, length: int) -> HTTPScope:
    """Return the ASGI scope of the presigned PUT."""
    path, _, query = put.url.partition("?")
    headers = {**put.headers, "Content-Length": str(length)}
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "PUT", "path": path, "headers": fields}
    return cast(HTTPScope, {**scope, "query_string": query.encode()})


def test_rotated_secret_still_reads_older_links(
    backend: LocalBackend, storage: LocalStorage, settings: Settings
) -> None:
    put = presign(storage, KEY)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key of a good length, for this test"

    assert upload(backend, put).status == 201


def test_link_signed_by_another_secret_is_refused(
    backend: LocalBackend, storage: LocalStorage, settings: Settings
) -> None:
    put = presign(storage, KEY)
    settings.SECRET_KEY = "another secret key of a good length, for this test"

    assert code(upload(backend, put)) == "url_invalid"
