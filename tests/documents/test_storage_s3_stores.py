"""What the S3 store promises beyond the contract, on real stores."""

import dataclasses
import os
import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from documents.errors import ObjectMissingError, StorageError
from documents.storage import s3, s3_parts
from documents.storage.interface import Multipart, PresignedPut
from documents.storage.s3 import S3Storage
from documents.storage.s3_client import S3Options
from tests.documents.storage_backends import BODY, PDF, presign, read, stat_of
from tests.documents.storage_s3 import S3Backend, options_from, running_stores
from tests.documents.storage_server import Reply, send

MIB5 = 5 * 1024**2


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


def begin(storage: S3Storage, key: str, size: int) -> Multipart:
    return storage.begin_multipart(key, size=size, part_size=1, content_type=PDF)


def send_part(storage: S3Storage, begun: Multipart, number: int, body: bytes) -> None:
    reply = upload(storage.presign_part(begun, number, expires_seconds=60), body)
    assert reply.status == 200


def test_parts_are_as_large_as_the_store_wants_them(storage: S3Storage, key: str) -> None:
    assert begin(storage, key, 10).part_size == s3_parts.MIN_PART_BYTES


def test_parts_are_listed_behind_the_first_page(
    storage: S3Storage, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = storage.begin_multipart(
        key, size=4 * MIB5, part_size=s3_parts.MIN_PART_BYTES, content_type=PDF
    )
    for number in (1, 2, 3, 4):
        send_part(storage, begun, number, bytes(MIB5))
    monkeypatch.setattr(s3_parts, "PAGE_PARTS", 2)

    assert [part.number for part in storage.list_parts(begun)] == [1, 2, 3, 4]
    storage.abort_multipart(begun)


def test_idle_uploads_are_swept(
    storage: S3Storage, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = begin(storage, key, 10)
    send_part(storage, idle, 1, bytes(10))
    monkeypatch.setattr(s3, "MAX_URL_SECONDS", -60)

    assert storage.sweep() >= 1

    with pytest.raises(ObjectMissingError):
        storage.list_parts(idle)


def test_an_upload_with_a_recent_part_is_not_swept(
    storage: S3Storage, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = begin(storage, key, 10)
    listed: Callable[..., Any] = storage._client.get_paginator

    class LongAgo:
        """The listing of uploads, each of them begun two days before."""

        def __init__(self, pages: Any) -> None:
            self.pages = pages

        def paginate(self, **request: Any) -> Any:
            for page in self.pages.paginate(**request):
                for entry in page.get("Uploads", []):
                    entry["Initiated"] -= timedelta(days=2)
                yield page

    def get_paginator(name: str) -> Any:
        pages = listed(name)
        return LongAgo(pages) if name == "list_multipart_uploads" else pages

    monkeypatch.setattr(storage._client, "get_paginator", get_paginator)
    send_part(storage, begun, 1, bytes(10))

    storage.sweep()

    assert len(storage.list_parts(begun)) == 1
    storage.abort_multipart(begun)


@pytest.fixture
def small_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a store copied no more than 5 MiB at once."""
    monkeypatch.setattr(s3_parts, "MAX_COPY_BYTES", MIB5)
    monkeypatch.setattr(s3_parts, "COPY_RANGE_BYTES", MIB5)


@pytest.mark.usefixtures("small_copies")
def test_an_object_too_large_for_one_copy_is_promoted_in_ranges(
    storage: S3Storage, key: str, final: str
) -> None:
    body = random.Random(3).randbytes(2 * MIB5 + 17)
    etag = storage.put(key, body, PDF).etag

    storage.promote(key, final, if_etag=etag)
    storage.promote(key, final, if_etag=etag)

    assert read(storage, final) == body
    assert storage.stat(key) is None


@pytest.mark.usefixtures("small_copies")
def test_bytes_that_change_between_the_ranges_are_not_kept(
    storage: S3Storage, key: str, final: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = storage.put(key, bytes(2 * MIB5), PDF).etag
    copy: Callable[..., Any] = storage._client.upload_part_copy

    def too_late(**request: Any) -> Any:
        if request["PartNumber"] == 2:
            storage.put(key, b"x" * 2 * MIB5, PDF)
        return copy(**request)

    monkeypatch.setattr(storage._client, "upload_part_copy", too_late)
    with pytest.raises(StorageError):
        storage.promote(key, final, if_etag=etag)

    assert storage.stat(final) is None


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
