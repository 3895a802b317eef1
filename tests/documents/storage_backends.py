"""The storage backends under contract, as pytest fixtures, and what their tests share.

A backend joins by adding a class with the members of `LocalBackend` to BACKENDS; what it
does not enforce its `enforced` says. Test modules take the fixtures over by name.
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from documents.storage.http import StorageApp
from documents.storage.interface import ObjectStat, PresignedPut, Storage
from documents.storage.local import LocalStorage
from tests.documents.storage_s3 import Enforced, S3Backend, running_stores
from tests.documents.storage_server import CountedApp, Reply, hang_up_half_way, send, serve

BODY = b"The quick brown fox jumps over the lazy dog.\n" * 100
PDF = "application/pdf"


class LocalBackend:
    """The local store behind its own HTTP application."""

    storage: Storage
    enforced = Enforced()
    part_bytes = 4096

    def __init__(self, storage: LocalStorage, app: CountedApp, address: tuple[str, int]) -> None:
        self.storage = storage
        self.app = app
        self.address = address

    @classmethod
    @contextmanager
    def running(cls, directory: Path) -> Iterator["LocalBackend"]:
        """Start the backend with an empty store."""
        storage = LocalStorage(directory)
        app = CountedApp(StorageApp(storage))
        with serve(app) as address:
            yield cls(storage, app, address)

    def send(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Reply:
        """Make one HTTP request; underscores in header names stand for hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return send(self.address, method, url, body, fields)

    def hang_up(self, put: PresignedPut, body: bytes) -> None:
        """Drop the connection half-way and wait until the server has noticed."""
        ended = self.app.ended
        hang_up_half_way(self.address, put.url, body, put.headers)
        self.app.wait_until_ended(ended + 1)

    @contextmanager
    def clock_set_back(self, seconds: int) -> Iterator[None]:
        """Sign as if it were earlier."""
        with mock.patch("documents.storage.signing.time.time", return_value=time.time() - seconds):
            yield

    def tampered(self, url: str) -> Iterator[tuple[str, str]]:
        """Yield the URL with each signed field changed, and with the signature changed."""
        path, token = url.split("?t=")
        content, signature = token.split(":")
        fields = json.loads(base64.urlsafe_b64decode(content + "=="))
        for name, value in fields.items():
            other = {**fields, name: _another(value)}
            forged = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
            yield name, f"{path}?t={forged}:{signature}"
        for name, forged in {
            "signature": f"{content}:{signature[:-2]}xx",
            "no signature": content,
            "empty signature": f"{content}:",
            "nothing": "",
        }.items():
            yield name, f"{path}?t={forged}"


Backend = LocalBackend | S3Backend
BACKENDS: tuple[type[Backend], ...] = (LocalBackend, *running_stores())


def _another(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return f"{value or ''}x"


@pytest.fixture(scope="module", params=BACKENDS, ids=lambda backend: backend.__name__)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """Give each backend in turn, running."""
    with request.param.running(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def storage(backend: Backend) -> Storage:
    """Give the port of the backend."""
    return backend.storage


@pytest.fixture
def key() -> str:
    """Give an incoming key nobody has used."""
    return f"incoming/{uuid.uuid4()}/{uuid.uuid4().hex}"


@pytest.fixture
def final() -> str:
    """Give a final key nobody has used."""
    return f"documents/{uuid.uuid4()}"


def presign(
    storage: Storage,
    key: str,
    body: bytes = BODY,
    *,
    hashed: bool = True,
    expires_seconds: int = 300,
) -> PresignedPut:
    """Sign a PUT for exactly this body."""
    return storage.presign_put(
        key,
        size=len(body),
        content_type=PDF,
        sha256=hashlib.sha256(body).hexdigest() if hashed else None,
        expires_seconds=expires_seconds,
    )


def upload(backend: Backend, put: PresignedPut, body: bytes = BODY) -> Reply:
    """Send the body as the presigned PUT says."""
    return send(backend.address, put.method, put.url, body, put.headers)


def read(storage: Storage, key: str) -> bytes:
    """Return the whole object."""
    with storage.open(key) as stream:
        return stream.read()


def read_url(storage: Storage, key: str, **options: Any) -> str:
    """Sign a GET with usual values for what does not matter."""
    usual: dict[str, Any] = {"filename": "a.pdf", "content_type": PDF, "expires_seconds": 300}
    return storage.presign_get(key, **{**usual, **options})


def stat_of(storage: Storage, key: str) -> ObjectStat:
    """Describe an object that must be there."""
    stat = storage.stat(key)
    assert stat is not None
    return stat
