"""A real disk that is full: what is refused leaves nothing behind, and works once there is room."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.errors import StorageError, StorageFullError, TransientError
from documents.storage.local import LocalStorage
from tests.documents.storage_backends import PDF, LocalBackend, presign, upload
from tests.processing.sandbox_calls import make_sandbox, run

DISK_BYTES = 4 * 1024 * 1024
BODY = os.urandom(300_000)
KEY = "incoming/document/nonce"
FINAL = "documents/document"


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 4 MB; who may not mount one runs the test in a namespace where they may."""
    if sys.platform != "linux":
        pytest.skip("a file system of its own is mounted by Linux only")
    if os.geteuid() != 0:
        again = [sys.executable, "-m", "pytest", "-q", request.node.nodeid]
        done = subprocess.run(["unshare", "-Urm", *again], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        pytest.skip("it passed in a namespace of its own")
    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", mounted], check=True
    )
    yield mounted
    subprocess.run(["umount", "--lazy", mounted], check=True)


def fill(disk: Path, *, leave: int) -> Path:
    """Take all room but about so many bytes; removing the file gives it back."""
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    ballast.write_bytes(bytes(max(0, free - leave)))
    return ballast


def files(root: Path, directory: str) -> list[Path]:
    return [path for path in (root / directory).rglob("*") if path.is_file()]


@pytest.mark.parametrize("leave", [0, 100_000])
def test_an_upload_that_finds_no_room_is_told_so_and_can_be_repeated(
    disk: Path, leave: int
) -> None:
    with LocalBackend.running(disk / "store") as backend:
        storage = LocalStorage(disk / "store")
        put = presign(storage, KEY, BODY)
        ballast = fill(disk, leave=leave)

        refused = upload(backend, put, BODY)

        assert refused.status == 507
        assert b'"storage_full"' in refused.body
        assert int(refused.headers["retry-after"]) > 0
        assert storage.stat(KEY) is None
        assert files(storage.root, "incomplete") == files(storage.root, "objects") == []
        ballast.unlink()
        assert upload(backend, put, BODY).status == 201
        assert files(storage.root, "incomplete") == []


def test_a_full_disk_keeps_what_is_stored_and_promotes_it(disk: Path) -> None:
    storage = LocalStorage(disk / "store")
    storage.put(KEY, BODY, PDF)
    stat = storage.stat(KEY)
    assert stat is not None
    ballast = fill(disk, leave=0)

    with pytest.raises(StorageFullError):
        storage.put("documents/another", BODY, PDF)
    try:
        storage.promote(KEY, FINAL, if_etag=stat.etag)
    except StorageError:
        # A file system may need a block for the name; then it is done once there is room.
        ballast.unlink()
        storage.promote(KEY, FINAL, if_etag=stat.etag)

    with storage.open(FINAL) as stream:
        assert stream.read() == BODY
    assert files(storage.root, "incomplete") == []


def test_reading_that_finds_no_room_is_no_fault_of_the_document(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    sandbox = make_sandbox()
    try:
        sandbox.start()
        ballast = fill(disk, leave=1024 * 1024)

        with pytest.raises(StorageFullError) as full:
            run(sandbox, "write", mebibytes=2)

        assert isinstance(full.value, TransientError)
        ballast.unlink()
        run(sandbox, "write", mebibytes=2)
    finally:
        sandbox.close()
