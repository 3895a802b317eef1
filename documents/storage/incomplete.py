"""An object on its way in: a temporary file nobody can see, counted and hashed.

It lies on the same file system as the finished objects, so that publishing it is one
atomic `link` or `rename`. Whoever begins one discards it in a `finally`: discarding
a published one only removes its temporary name.
"""

import errno
import hashlib
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from documents.errors import StorageError, StorageFullError

PIECE_BYTES = 1024 * 1024
# A finished object is read-only; an empty file that is not is a tombstone (see local.py).
SEALED_MODE = 0o400
SHA256_ATTRIBUTE = "user.sluice.sha256"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# Between file systems, or where they cannot: then through memory, a piece at a time.
_NO_COPYING = frozenset({errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
_NO_ATTRIBUTES = frozenset({errno.ENOTSUP, errno.ENOSPC, errno.EDQUOT, errno.E2BIG, errno.EPERM})


@contextmanager
def storage_errors() -> Iterator[None]:
    """Translate what the file system refuses into StorageError, once, at the edge."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError from error
        raise StorageError from error


class IncompleteObject:
    """Bytes being received; safe to write from one thread and discard from another."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / uuid.uuid4().hex
        self.size = 0
        self._hash = hashlib.sha256()
        self._lock = threading.Lock()
        with storage_errors():
            # Unbuffered: a buffer that failed to flush would fail again on close.
            self._file = open(self.path, "x+b", buffering=0)  # noqa: SIM115

    @property
    def sha256(self) -> str:
        """Return the hash of what has been written, as lower-case hex."""
        return self._hash.hexdigest()

    def write(self, piece: bytes | bytearray) -> None:
        """Append the piece; a raw file may take only part of it at a time."""
        rest = memoryview(piece)
        # A cancelled request discards while a thread may still write: the descriptor
        # must not be closed, and reused by another file, in the middle of that.
        with self._lock, storage_errors():
            while rest:
                rest = rest[self._file.write(rest) :]
        self._hash.update(piece)
        self.size += len(piece)

    def copy_into(self, target: int, offset: int) -> None:
        """Copy all bytes to a place in an open file, inside the kernel where it can."""
        with self._lock, storage_errors():
            copy_range(self._file.fileno(), target, offset=offset, size=self.size)

    def seal(self) -> None:
        """Make the bytes durable and read-only, with their hash beside them."""
        with self._lock, storage_errors():
            descriptor = self._file.fileno()
            _note_sha256(descriptor, self.sha256)
            os.fchmod(descriptor, SEALED_MODE)
            os.fsync(descriptor)

    def discard(self) -> None:
        """Close the temporary file and remove its name; safe to repeat."""
        with self._lock, storage_errors():
            try:
                # A quota over a network may be refused as late as here.
                self._file.close()
            finally:
                self.path.unlink(missing_ok=True)


def copy_range(source: int, target: int, *, offset: int, size: int) -> None:
    """Copy the first `size` bytes of an open file to `offset` of another, a piece at a time."""
    copied = 0
    while copied < size:
        copied += _copy_piece(source, target, copied, offset + copied, size - copied)


def _copy_piece(source: int, target: int, start: int, to: int, left: int) -> int:
    if hasattr(os, "copy_file_range"):
        try:
            done = os.copy_file_range(source, target, left, start, to)
        except OSError as error:
            if error.errno not in _NO_COPYING:
                raise
        else:
            return _some(done)
    return _some(os.pwrite(target, os.pread(source, min(left, PIECE_BYTES), start), to))


def _some(n_bytes: int) -> int:
    if n_bytes == 0:
        raise OSError(errno.EIO, "a received part is shorter than it was")
    return n_bytes


def read_sha256(source: Path | int) -> str | None:
    """Return the hash noted when the object was stored, where the file system keeps it."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(source, SHA256_ATTRIBUTE).decode("ascii")
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.ENOTSUP}:
            return None
        raise


def _note_sha256(descriptor: int, sha256: str) -> None:
    # An optional convenience: without it `stat` answers None, and verify hashes anyway.
    if not hasattr(os, "setxattr"):
        return
    try:
        os.setxattr(descriptor, SHA256_ATTRIBUTE, sha256.encode("ascii"))
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTES:
            raise
