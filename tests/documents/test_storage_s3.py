"""The S3 store as it is configured, and what it makes of a store that fails."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from config.environment import require_bucket, s3_origins
from documents.errors import InvalidError, StorageError, StorageFullError
from documents.storage import get_storage
from documents.storage.interface import Multipart, Part, Storage
from documents.storage.s3 import S3Storage
from documents.storage.s3_client import S3Options
from tests.documents.storage_server import serve

OPTIONS = {
    "bucket": "sluice",
    "region": "eu-central-1",
    "endpoint_url": "http://127.0.0.1:1",
    "public_endpoint_url": "",
    "access_key_id": "key-id",
    "secret_access_key": "not-so-secret",
    "addressing_style": "path",
}
UPLOAD = Multipart("incoming/a", "id", 1, 1)
USES: dict[str, Callable[[Storage], object]] = {
    "stat": lambda storage: storage.stat("documents/a"),
    "open": lambda storage: storage.open("documents/a").__enter__(),
    "as_file": lambda storage: storage.as_file("documents/a").__enter__(),
    "put": lambda storage: storage.put("documents/a", b"x", "text/plain"),
    "delete": lambda storage: storage.delete("documents/a"),
    "delete incoming": lambda storage: storage.delete("incoming/a"),
    "promote": lambda storage: storage.promote("incoming/a", "documents/a", if_etag="x"),
    "begin_multipart": lambda storage: storage.begin_multipart(
        "incoming/a", size=1, part_size=1, content_type="text/plain"
    ),
    "list_parts": lambda storage: storage.list_parts(UPLOAD),
    "complete_multipart": lambda storage: storage.complete_multipart(UPLOAD, [Part(1, 1, "x")]),
    "abort_multipart": lambda storage: storage.abort_multipart(UPLOAD),
    "list": lambda storage: list(storage.list("documents/")),
    "sweep": lambda storage: storage.sweep(),
}


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[Storage]:
    """Give a storage whose store says one thing to every request."""

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        fields: list[Any] = [(name.encode(), value.encode()) for name, value in headers.items()]
        start: Any = {"type": "http.response.start", "status": status, "headers": fields}
        await send(start)
        await send({"type": "http.response.body", "body": body, "more_body": False})

    with serve(app) as (host, port):
        yield S3Storage(S3Options(**{**OPTIONS, "endpoint_url": f"http://{host}:{port}"}))  # type: ignore[arg-type]


def refusal(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_store_that_is_away_is_a_storage_error(use: Callable[[Storage], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = {**OPTIONS, "endpoint_url": f"http://127.0.0.1:{port}"}
    storage = S3Storage(S3Options(**options))  # type: ignore[arg-type]

    with pytest.raises(StorageError):
        use(storage)


def test_busy_store_is_a_storage_error_in_every_use() -> None:
    with answering(503, refusal("SlowDown")) as storage:
        for use in USES.values():
            with pytest.raises(StorageError):
                use(storage)


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "InternalError"), (403, "AccessDenied"), (403, "RequestTimeTooSkewed")],
)
def test_refusal_that_can_be_repaired_is_a_storage_error(status: int, code: str) -> None:
    with answering(status, refusal(code)) as storage, pytest.raises(StorageError) as raised:
        storage.put("documents/a", b"x", "text/plain")

    assert type(raised.value) is StorageError


@pytest.mark.parametrize(("status", "code"), [(507, ""), (403, "QuotaExceeded")])
def test_full_store_is_named_as_full(status: int, code: str) -> None:
    with answering(status, refusal(code)) as storage, pytest.raises(StorageFullError):
        storage.put("documents/a", b"x", "text/plain")


def test_object_no_store_takes_is_not_tried_again() -> None:
    with answering(400, refusal("EntityTooLarge")) as storage, pytest.raises(InvalidError):
        storage.put("documents/a", b"x", "text/plain")


@pytest.mark.parametrize("use", ["stat", "open"])
def test_missing_bucket_is_not_a_missing_object(use: str) -> None:
    with answering(404, refusal("NoSuchBucket")) as storage, pytest.raises(StorageError):
        USES[use](storage)


def test_listing_that_is_cut_off_is_a_storage_error() -> None:
    cut_off = b"<ListBucketResult><Contents><Key>docu"

    with answering(200, cut_off) as storage, pytest.raises(StorageError):
        list(storage.list("documents/"))


def test_settings_choose_one_storage_for_the_process(settings: Settings) -> None:
    settings.STORAGE_BACKEND, settings.S3 = "s3", OPTIONS

    storage = get_storage()

    assert isinstance(storage, S3Storage)
    assert get_storage() is storage


def test_unknown_backend_is_named(settings: Settings) -> None:
    settings.STORAGE_BACKEND = "tape"

    with pytest.raises(ImproperlyConfigured, match="tape"):
        get_storage()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"bucket": ""}, "S3_BUCKET"),
        ({"secret_access_key": ""}, "S3_SECRET_ACCESS_KEY"),
        ({"access_key_id": ""}, "S3_ACCESS_KEY_ID"),
        ({"addressing_style": "paths"}, "S3_ADDRESSING_STYLE"),
    ],
)
def test_settings_that_name_no_bucket_stop_the_start(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=named):
        require_bucket({**OPTIONS, **wrong})


@pytest.mark.parametrize("keys", ["key-id", ""])
def test_keys_may_come_from_the_machine(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-machine")
    options = {**OPTIONS, "access_key_id": keys, "secret_access_key": keys}

    require_bucket(options)
    storage = S3Storage(S3Options(**options))  # type: ignore[arg-type]

    signed = storage.presign_get(
        "documents/a", filename="a.txt", content_type="text/plain", expires_seconds=60
    )
    assert f"X-Amz-Credential={keys or 'key-of-the-machine'}%2F" in signed


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({}, ["http://127.0.0.1:1"]),
        ({"public_endpoint_url": "https://files.example:8443/"}, ["https://files.example:8443"]),
        (
            {"endpoint_url": "https://ceph.example", "addressing_style": "auto"},
            ["https://ceph.example", "https://sluice.ceph.example"],
        ),
    ],
)
def test_browsers_may_connect_to_where_urls_lead(given: dict[str, str], origins: list[str]) -> None:
    assert s3_origins({**OPTIONS, **given}) == origins


@pytest.mark.parametrize("style", ["path", "virtual", "auto"])
@pytest.mark.parametrize(
    "endpoint",
    ["https://s3.eu-central-1.amazonaws.com", "https://ceph.example", "http://127.0.0.1:9000"],
)
def test_signed_urls_have_an_allowed_origin(endpoint: str, style: str) -> None:
    options = {**OPTIONS, "endpoint_url": endpoint, "addressing_style": style}
    storage = S3Storage(S3Options(**options))  # type: ignore[arg-type]

    put = storage.presign_put(
        "incoming/a", size=1, content_type="text/plain", sha256=None, expires_seconds=60
    )

    assert put.url.startswith(tuple(f"{origin}/" for origin in s3_origins(options)))


def test_options_do_not_show_the_secret() -> None:
    assert OPTIONS["secret_access_key"] not in repr(S3Options(**OPTIONS))  # type: ignore[arg-type]
