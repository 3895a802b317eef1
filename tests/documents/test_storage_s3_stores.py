"""What the S3 store promises beyond the contract, on real stores."""

import dataclasses
import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from documents.errors import StorageError
from documents.storage import s3
from documents.storage.interface import PresignedPut
from documents.storage.s3 import S3Storage
from documents.storage.s3_client import S3Options
from tests.documents.storage_backends import BODY, PDF, presign, read, stat_of
from tests.documents.storage_s3 import S3Backend, options_from, running_stores
from tests.documents.storage_server import Reply, send


@pytest.fixture(params=running_stores(), ids=lambda store: store.__name__)
def options(request: pytest.FixtureRequest) -> S3Options:
    """Say how to reach each store in turn."""
    store: type[S3Backend] = request.param
    return options_from(os.environ[store.variable])


@pytest.fixture
def storage(options: S3Options) -> S3Storage:
    return S3Storage(options)


@pytest.fixture
def lenient(options: S3Options) -> S3Storage:
    """Treat the store as one that can enforce neither hash nor writing once."""
    return S3Storage(dataclasses.replace(options, sign_checksum=False, sign_if_none_match=False))


@pytest.fixture
def key() -> str:
    return f"incoming/{uuid.uuid4()}/{uuid.uuid4().hex}"


@pytest.fixture
def final() -> str:
    return f"documents/{uuid.uuid4()}"


def upload(put: PresignedPut, body: bytes = BODY) -> Reply:
    return send(("127.0.0.1", 0), put.method, put.url, body, put.headers)


def test_tombstone_keeps_a_key_taken_until_it_is_swept(
    storage: S3Storage, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = presign(storage, key)
    storage.delete(key)

    assert storage.sweep() == 0
    assert upload(put).status == 412

    monkeypatch.setattr(s3, "TOMBSTONE_SECONDS", -60)
    assert storage.sweep() >= 1
    assert upload(put).status == 200
    assert read(storage, key) == BODY


def test_sweep_leaves_objects_alone(
    storage: S3Storage, key: str, final: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {key: b"", f"{key}x": BODY, final: b""}
    for name, body in kept.items():
        storage.put(name, body, PDF)
    monkeypatch.setattr(s3, "TOMBSTONE_SECONDS", -60)

    storage.sweep()

    assert {name: read(storage, name) for name in kept} == kept


def test_late_put_never_reaches_the_promoted_bytes(
    lenient: S3Storage, key: str, final: str
) -> None:
    put = presign(lenient, key)
    upload(put)
    lenient.promote(key, final, if_etag=stat_of(lenient, key).etag)

    late = upload(put, b"x" * len(BODY))

    assert late.status == 200
    assert read(lenient, final) == BODY


def test_nothing_is_left_where_writing_once_is_not_enforced(
    lenient: S3Storage, storage: S3Storage, key: str
) -> None:
    upload(presign(lenient, key))

    lenient.delete(key)

    assert upload(presign(storage, key)).status == 200


def test_bytes_that_change_during_the_copy_are_not_kept(
    storage: S3Storage, key: str, final: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = storage.put(key, BODY, PDF).etag
    copy: Callable[..., Any] = storage._client.copy_object

    def too_late(**request: Any) -> Any:
        storage.put(key, b"something else", PDF)
        return copy(**request)

    with monkeypatch.context() as patch:
        patch.setattr(storage._client, "copy_object", too_late)
        with pytest.raises(StorageError):
            storage.promote(key, final, if_etag=tag)

    assert storage.stat(final) is None
    assert read(storage, key) == b"something else"


def test_object_replaced_while_it_is_read_is_an_error(storage: S3Storage, final: str) -> None:
    storage.put(final, BODY * 1000, PDF)

    with storage.open(final) as stream:
        stream.seek(5_000)
        storage.put(final, b"other" * 100_000, PDF)
        with pytest.raises(StorageError):
            stream.read()


def test_urls_lead_to_where_browsers_reach_the_store(options: S3Options, key: str) -> None:
    public = options.endpoint_url.replace("127.0.0.1", "localhost")
    storage = S3Storage(dataclasses.replace(options, public_endpoint_url=public))

    put = presign(storage, key)

    assert put.url.startswith(f"{public}/")
    assert upload(put).status == 200
    assert read(storage, key) == BODY


def test_listing_goes_on_behind_its_first_page(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = f"listed/{uuid.uuid4()}"
    keys = {f"{folder}/{number}" for number in range(5)}
    for key in keys:
        storage.put(key, BODY, PDF)
    monkeypatch.setattr(s3, "PAGE_KEYS", 2)

    assert set(dict(storage.list(folder))) == keys


@pytest.fixture(params=["secret", "bucket"])
def misled(options: S3Options, request: pytest.FixtureRequest) -> S3Storage:
    """Give a storage one of whose settings is wrong."""
    if request.param == "secret":
        return S3Storage(dataclasses.replace(options, secret_access_key="wrong"))
    return S3Storage(dataclasses.replace(options, bucket="wrong-one"))


def test_wrong_settings_do_not_look_like_missing_objects(misled: S3Storage, final: str) -> None:
    with pytest.raises(StorageError):
        misled.stat(final)
    with pytest.raises(StorageError):
        misled.put(final, BODY, PDF)
