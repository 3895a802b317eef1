"""Send documents in parts through the API, to the local store or to a real S3 one.

Test modules take the fixtures over by name.
"""

import hashlib
import os
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from documents.models import Batch, Document
from documents.storage import get_local_storage, get_storage
from documents.storage.http import StorageApp
from documents.storage.interface import Multipart
from tests.documents.storage_backends import BACKENDS, Backend, LocalBackend
from tests.documents.storage_s3 import S3Backend, options_from
from tests.documents.storage_server import CountedApp, Reply, serve

STORES = BACKENDS


@contextmanager
def configured(store: type[Backend], settings: Settings) -> Iterator[Backend]:
    """Have Sluice use the store, and send what is larger than one part of it in parts."""
    settings.MULTIPART_BYTES = settings.PART_BYTES = store.part_bytes
    if not issubclass(store, S3Backend):
        app = CountedApp(StorageApp(get_local_storage()))
        with serve(app) as address:
            yield LocalBackend(get_local_storage(), app, address)
        return
    options = options_from(os.environ[store.variable])
    settings.STORAGE_BACKEND, settings.S3 = "s3", asdict(options)
    yield store(options)


class PartsClient:
    """A browser that sends one document in parts."""

    def __init__(self, api: APIClient, batch: Batch, backend: Backend, path: str = "large.txt"):
        self.api, self.batch, self.backend, self.path = api, batch, backend, path
        # Two whole parts and a short third.
        self.content = random.Random(path).randbytes(2 * backend.part_bytes + 77)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def declared(self, **changes: Any) -> dict[str, Any]:
        said = {"client_key": self.path, "path": self.path, "size": len(self.content)}
        told = {**said, "sha256": self.sha256, **changes}
        return {name: value for name, value in told.items() if value != ""}

    def ask(self, **changes: Any) -> dict[str, Any]:
        """Register the document, again or for the first time; return its Upload."""
        answer = self.post("uploads", self.declared(**changes))
        assert answer.status_code == 201, answer.content
        (upload,) = answer.json()["documents"]
        return dict(upload)

    def target(self) -> dict[str, Any]:
        return dict(self.ask()["upload"]["multipart"])

    def part(self, number: int, part_size: int) -> bytes:
        return self.content[(number - 1) * part_size :][:part_size]

    def send(self, target: dict[str, Any], numbers: Iterable[int] = (1, 2, 3)) -> list[Reply]:
        """PUT some of the parts that are wanted, where it was said."""
        return [
            self.put(part, self.part(part["number"], target["part_size"]))
            for part in target["parts"]
            if part["number"] in numbers
        ]

    def put(self, part: dict[str, Any], body: bytes) -> Reply:
        return self.backend.send("PUT", part["url"], body, **part["headers"])

    def complete(self, **given: Any) -> Any:
        return self.post("complete", {"id": str(self.document.id), **given})

    def post(self, action: str, document: dict[str, Any], **more: Any) -> Any:
        """Call the API about one document of the batch."""
        body = {"documents": [document], **more}
        return self.api.post(f"/api/v1/batches/{self.batch.id}/{action}", body, format="json")

    @property
    def document(self) -> Document:
        return Document.objects.get(batch=self.batch, client_key=self.path)

    @property
    def under_way(self) -> Multipart:
        upload = self.document.multipart
        assert upload is not None
        return upload

    def stored(self) -> bytes:
        with get_storage().open(self.document.incoming_key) as stream:
            return stream.read()


@pytest.fixture(params=STORES, ids=lambda store: store.__name__)
def backend(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Backend]:
    with configured(request.param, settings) as backend:
        yield backend


@pytest.fixture
def one(api: APIClient, batch: Batch, backend: Backend) -> PartsClient:
    return PartsClient(api, batch, backend)
