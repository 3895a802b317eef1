"""What the local store does with parts beyond the contract: kills, leftovers and waiting."""

import fcntl
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from documents import faults
from documents.errors import AlreadyStoredError, ObjectMissingError
from documents.storage import local, signing
from documents.storage.incomplete import IncompleteObject
from documents.storage.interface import Multipart
from documents.storage.local import LocalStorage
from tests.documents.storage_backends import BODY, PDF, LocalBackend, read, read_url, upload
from tests.test_architecture import ROOT

KEY = "incoming/document/nonce"
PART_BYTES = 3_000_000
CONTENT = random.Random(2).randbytes(2 * PART_BYTES + 5)
OTHER = bytes(PART_BYTES)
STORING = ("part.before_copy", "part.before_mark", "part.after_mark")
# Another process, because a fork of one with threads may stand still.
KILLED = f"""
import sys
from pathlib import Path
from documents.storage import signing
from documents.storage.interface import Multipart
from documents.storage.local import LocalStorage

root, upload_id, work, number = Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])
storage = LocalStorage(root)
begun = Multipart("{KEY}", upload_id, {len(CONTENT)}, {PART_BYTES})
if work == "store":
    received = storage.begin()
    received.write(sys.stdin.buffer.read())
    place = (number, begun.offset(number), begun.length(number))
    storage.store_part(signing.PartGrant(begun.key, 2**31, begun.id, *place), received)
elif work == "complete":
    storage.complete_multipart(begun, storage.list_parts(begun))
else:
    storage.abort_multipart(begun)
"""
COMPLETING = ("assembly.before_link", "assembly.after_link", "assembly.half_removed")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    with LocalBackend.running(tmp_path / "store") as running:
        yield running


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "store")


@pytest.fixture
def begun(storage: LocalStorage) -> Multipart:
    return storage.begin_multipart(KEY, size=len(CONTENT), part_size=PART_BYTES, content_type=PDF)


@pytest.fixture
def killed_at(tmp_path: Path, storage: LocalStorage, begun: Multipart) -> Callable[..., None]:
    """Do something to the upload in a process that is killed at a place of the source."""
    folder = tmp_path / "faults"
    folder.mkdir()

    def do(place: str, work: str, number: int = 0, content: bytes = b"") -> None:
        (folder / place).write_text("kill9")
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(storage.root), begun.id, work, str(number)],
            cwd=ROOT,
            env={**os.environ, faults.FOLDER_VARIABLE: str(folder)},
            input=content,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == -signal.SIGKILL, (place, done.stderr.decode())

    return do


def grant_for(begun: Multipart, number: int) -> signing.PartGrant:
    place = (number, begun.offset(number), begun.length(number))
    return signing.PartGrant(begun.key, signing.expiry(300), begun.id, *place)


def received(storage: LocalStorage, content: bytes) -> IncompleteObject:
    incomplete = storage.begin()
    incomplete.write(content)
    return incomplete


def part_of(begun: Multipart, number: int) -> bytes:
    return CONTENT[begun.offset(number) :][: begun.length(number)]


def store(storage: LocalStorage, begun: Multipart, number: int, content: bytes = b"") -> None:
    incomplete = received(storage, content or part_of(begun, number))
    try:
        storage.store_part(grant_for(begun, number), incomplete)
    finally:
        incomplete.discard()


def store_all(storage: LocalStorage, begun: Multipart) -> None:
    for number in (1, 2, 3):
        store(storage, begun, number)


def complete(storage: LocalStorage, begun: Multipart) -> None:
    storage.complete_multipart(begun, storage.list_parts(begun))


def numbers(storage: LocalStorage, begun: Multipart) -> list[int]:
    return [part.number for part in storage.list_parts(begun)]


def uploads(storage: LocalStorage) -> list[Path]:
    return list((storage.root / "multipart").iterdir())


@pytest.mark.parametrize("place", STORING)
def test_a_kill_leaves_the_part_or_nothing(
    storage: LocalStorage, begun: Multipart, killed_at: Callable[..., None], place: str
) -> None:
    killed_at(place, "store", 1, part_of(begun, 1))

    assert numbers(storage, begun) == ([1] if place == "part.after_mark" else [])
    store_all(storage, begun)
    complete(storage, begun)
    assert read(storage, KEY) == CONTENT


@pytest.mark.parametrize("place", STORING)
def test_a_kill_while_a_part_is_replaced_never_leaves_a_mixture(
    storage: LocalStorage, begun: Multipart, killed_at: Callable[..., None], place: str
) -> None:
    store_all(storage, begun)

    killed_at(place, "store", 1, OTHER)

    assert numbers(storage, begun) == ([1, 2, 3] if place == "part.after_mark" else [2, 3])
    store(storage, begun, 1)
    complete(storage, begun)
    assert read(storage, KEY) == CONTENT


@pytest.mark.parametrize("place", COMPLETING)
def test_completing_again_after_a_kill_succeeds(
    storage: LocalStorage, begun: Multipart, killed_at: Callable[..., None], place: str
) -> None:
    store_all(storage, begun)
    parts = storage.list_parts(begun)

    killed_at(place, "complete")
    storage.complete_multipart(begun, parts)

    assert read(storage, KEY) == CONTENT
    assert place == "assembly.half_removed" or uploads(storage) == []


@pytest.mark.parametrize("place", COMPLETING)
def test_no_part_is_taken_once_completing_has_begun(
    storage: LocalStorage, begun: Multipart, killed_at: Callable[..., None], place: str
) -> None:
    store_all(storage, begun)
    parts = storage.list_parts(begun)
    killed_at(place, "complete")

    with pytest.raises(AlreadyStoredError):
        store(storage, begun, 1, OTHER)

    storage.complete_multipart(begun, parts)
    assert read(storage, KEY) == CONTENT


def test_what_a_killed_abort_left_is_swept(
    storage: LocalStorage,
    begun: Multipart,
    killed_at: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store(storage, begun, 1)
    killed_at("assembly.half_removed", "abort")

    with pytest.raises(ObjectMissingError):
        storage.list_parts(begun)
    with pytest.raises(ObjectMissingError):
        store(storage, begun, 2)
    monkeypatch.setattr(local, "MAX_URL_SECONDS", -60)

    assert storage.sweep() == 1
    assert uploads(storage) == []


def test_an_idle_upload_is_swept_and_a_published_object_is_not(
    storage: LocalStorage,
    begun: Multipart,
    killed_at: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage.begin_multipart(f"{KEY}x", size=9, part_size=9, content_type=PDF)
    store_all(storage, begun)
    killed_at("assembly.after_link", "complete")
    monkeypatch.setattr(local, "MAX_URL_SECONDS", -60)

    assert storage.sweep() == 2

    assert uploads(storage) == []
    assert read(storage, KEY) == CONTENT


def test_completing_copies_nothing(storage: LocalStorage, begun: Multipart) -> None:
    store_all(storage, begun)
    (whole,) = storage.root.glob("multipart/*/whole")
    inode = whole.stat().st_ino

    complete(storage, begun)

    (stored,) = (path for path in (storage.root / "objects").rglob("*") if path.is_file())
    assert stored.stat().st_ino == inode


def test_parts_that_are_missing_take_no_disk(storage: LocalStorage, begun: Multipart) -> None:
    store(storage, begun, 2)

    (whole,) = storage.root.glob("multipart/*/whole")

    assert whole.stat().st_size == len(CONTENT)
    assert whole.stat().st_blocks * 512 < 2 * PART_BYTES


def test_the_same_part_again_is_no_work(
    storage: LocalStorage, begun: Multipart, killed_at: Callable[..., None]
) -> None:
    store(storage, begun, 1)

    # It passes the place after all work, and none before.
    killed_at("part.after_mark", "store", 1, part_of(begun, 1))

    assert numbers(storage, begun) == [1]


def test_a_part_is_copied_also_where_the_kernel_cannot(
    storage: LocalStorage, begun: Multipart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "copy_file_range", raising=False)

    store_all(storage, begun)
    complete(storage, begun)

    assert read(storage, KEY) == CONTENT


def test_parts_that_wait_for_their_turn_hold_up_nobody_else(
    backend: LocalBackend, storage: LocalStorage, begun: Multipart
) -> None:
    storage.put("documents/a", BODY, PDF)
    (lock,) = storage.root.glob("multipart/*/lock")
    put = storage.presign_part(begun, 3, expires_seconds=300)
    body = CONTENT[begun.offset(3) :]
    # More than an event loop has threads for what waits.
    n = 40

    with lock.open("r+b") as holder, ThreadPoolExecutor(n) as pool:
        fcntl.flock(holder, fcntl.LOCK_EX)
        waiting = [pool.submit(upload, backend, put, body) for _ in range(n)]
        meanwhile = backend.send("GET", read_url(storage, "documents/a"))
        assert not any(reply.done() for reply in waiting)
        fcntl.flock(holder, fcntl.LOCK_UN)
        replies = [reply.result() for reply in waiting]

    assert (meanwhile.status, meanwhile.body) == (200, BODY)
    assert {reply.status for reply in replies} == {201}
    assert not any(path.is_file() for path in (storage.root / "incomplete").iterdir())
