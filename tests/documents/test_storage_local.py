"""The local store: what it leaves on disk and what it sweeps."""

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from documents.errors import AlreadyStoredError, StorageError
from documents.storage import get_storage
from documents.storage.local import LocalStorage
from tests.documents.storage_backends import (
    BODY,
    PDF,
    LocalBackend,
    presign,
    read,
    stat_of,
    upload,
)

KEY = "incoming/document/nonce"
FINAL = "documents/document"
DAY = 24 * 60 * 60


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


def sweep_after(storage: LocalStorage, seconds: float) -> int:
    """Sweep as if so much time had passed."""
    with mock.patch("documents.storage.local.time.time", return_value=time.time() + seconds):
        return storage.sweep()


# --- on disk ------------------------------------------------------------------


@pytest.mark.parametrize("body", [BODY * 1000, BODY * 1000 + b"x", BODY[:-1] + b"!"])
def test_no_upload_leaves_a_temporary_file(
    backend: LocalBackend, storage: LocalStorage, body: bytes
) -> None:
    upload(backend, presign(storage, KEY, BODY * 1000), body)

    assert files(storage, "incomplete") == []


def test_disconnect_removes_the_temporary_file(
    backend: LocalBackend, storage: LocalStorage
) -> None:
    backend.hang_up(presign(storage, KEY, BODY * 1000), BODY * 1000)

    assert files(storage, "incomplete") == []
    assert files(storage, "objects") == []


def test_promotion_copies_no_bytes(storage: LocalStorage) -> None:
    storage.put(KEY, BODY, PDF)
    with storage.as_file(KEY) as path:
        inode = path.stat().st_ino

    storage.promote(KEY, FINAL, if_etag=stat_of(storage, KEY).etag)

    with storage.as_file(FINAL) as path:
        assert (path.stat().st_ino, path.stat().st_nlink) == (inode, 2)


def test_promotion_interrupted_before_the_burial_is_completed(storage: LocalStorage) -> None:
    storage.put(KEY, BODY, PDF)
    tag = stat_of(storage, KEY).etag
    with storage.as_file(KEY) as path:
        final = storage.root / "objects/documents" / hashlib.sha256(FINAL.encode()).hexdigest()[:2]
        final.mkdir(parents=True)
        os.link(path, final / FINAL.replace("/", "~"))

    storage.promote(KEY, FINAL, if_etag=tag)

    assert storage.stat(KEY) is None
    assert read(storage, FINAL) == BODY


def test_stored_file_is_read_only(storage: LocalStorage) -> None:
    storage.put(FINAL, BODY, PDF)

    with storage.as_file(FINAL) as path:
        assert path.stat().st_mode & 0o777 == 0o400


def test_stat_knows_the_hash(storage: LocalStorage) -> None:
    stat = storage.put(FINAL, BODY, PDF)

    if hasattr(os, "getxattr"):
        assert stat.sha256 in {hashlib.sha256(BODY).hexdigest(), None}
        assert stat_of(storage, FINAL) == stat


def test_file_system_without_attributes_is_enough(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse, raising=False)
    storage.put(KEY, BODY, PDF)
    stat = stat_of(storage, KEY)
    assert stat.sha256 is None

    storage.promote(KEY, FINAL, if_etag=stat.etag)
    storage.promote(KEY, FINAL, if_etag=stat.etag)

    assert stat_of(storage, FINAL) == stat
    storage.put("incoming/again", BODY, PDF)
    storage.promote("incoming/again", FINAL, if_etag=stat_of(storage, "incoming/again").etag)


def test_sweep_removes_what_was_abandoned_a_day_ago(storage: LocalStorage) -> None:
    abandoned = storage.begin()

    assert sweep_after(storage, DAY - 60) == 0
    assert files(storage, "incomplete") == [abandoned.path]
    assert sweep_after(storage, DAY + 60) == 1
    assert files(storage, "incomplete") == []
    abandoned.discard()


def test_swept_upload_cannot_be_published(storage: LocalStorage) -> None:
    swept = storage.begin()
    swept.write(BODY)
    sweep_after(storage, DAY + 60)

    with pytest.raises(StorageError):
        storage.publish(swept, KEY)

    swept.discard()
    assert storage.stat(KEY) is None


def test_sweep_spares_what_is_being_read(storage: LocalStorage) -> None:
    storage.put(FINAL, BODY, PDF)
    then = time.time() - 100 * DAY

    with storage.as_file(FINAL) as path:
        os.utime(path, (then, then))
        assert storage.sweep() == 0
        assert path.read_bytes() == BODY

    assert files(storage, "incomplete") == []


def test_sweep_keeps_a_tombstone_while_its_url_may_be_used(
    backend: LocalBackend, storage: LocalStorage
) -> None:
    put = presign(storage, KEY)
    storage.delete(KEY)

    assert sweep_after(storage, 2 * DAY - 60) == 0
    assert upload(backend, put).status == 412

    assert sweep_after(storage, 2 * DAY + 60) == 1
    assert files(storage, "objects") == []


def test_sweep_keeps_every_object(storage: LocalStorage) -> None:
    storage.put(KEY, BODY, PDF)
    storage.put("incoming/empty", b"", PDF)
    storage.put(FINAL, BODY, PDF)

    assert sweep_after(storage, 100 * DAY) == 0
    assert {key for key, _ in storage.list("")} == {KEY, "incoming/empty", FINAL}


def test_sweep_of_a_new_store_finds_nothing(storage: LocalStorage) -> None:
    assert storage.sweep() == 0


def test_key_is_published_once(storage: LocalStorage) -> None:
    first, second = storage.begin(), storage.begin()
    storage.publish(first, KEY)

    with pytest.raises(AlreadyStoredError):
        storage.publish(second, KEY)

    first.discard()
    second.discard()
    assert files(storage, "incomplete") == []


def test_opened_object_stays_readable_when_deleted(storage: LocalStorage) -> None:
    storage.put(FINAL, BODY, PDF)

    with storage.open(FINAL) as stream:
        storage.delete(FINAL)
        assert stream.read() == BODY


# --- settings -------------------------------------------------------------------


def test_settings_choose_the_store(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_BACKEND, settings.STORAGE_ROOT = "local", tmp_path / "a"
    first = get_storage()
    settings.STORAGE_ROOT = tmp_path / "b"

    assert get_storage() is get_storage()
    assert get_storage() is not first
    assert get_storage() == LocalStorage(tmp_path / "b")


def test_unknown_store_is_refused(settings: Settings) -> None:
    settings.STORAGE_BACKEND = "floppy"

    with pytest.raises(ImproperlyConfigured, match="floppy"):
        get_storage()
