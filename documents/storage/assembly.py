"""An object of the local store that arrives in parts, put together in one sparse file.

    <root>/multipart/<key, "/" written "~">.<random>/
        whole                   as long as the object, with holes where parts are missing
        lock                    held by whoever changes anything in here
        part-<number>-<hash>    empty; this part is in its place, and on disk

A part is received in a file of its own and copied into its place under the lock, so that
of two who send the same part one comes after the other. It is marked once it is on disk:
who is killed before that leaves a hole that counts as one. To complete is then only a
second name for `whole`, however large it is. From the moment it is sealed no part is
taken: the published object is this very file.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from documents import faults
from documents.errors import AlreadyStoredError, ObjectMissingError
from documents.storage.durable import children, is_older, make_directory, publish, sync_directory
from documents.storage.incomplete import SEALED_MODE, IncompleteObject, storage_errors

_MARK = re.compile(r"part-(\d+)-([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Assembly:
    """One upload in parts; any number of threads and processes may work on it."""

    directory: Path
    # Where the object will be.
    final: Path

    def begin(self, size: int) -> None:
        """Make room for an object of this size; what is never written takes no disk."""
        with storage_errors():
            make_directory(self.directory)
            (self.directory / "lock").touch()
            with self._whole.open("xb") as whole:
                whole.truncate(size)
                os.fsync(whole.fileno())
            sync_directory(self.directory)

    def is_there(self) -> bool:
        """Tell whether the upload was begun and neither completed nor aborted."""
        return self._whole.exists()

    def etags(self) -> dict[int, str]:
        """Return the hash of each part that is there, by number; or ObjectMissingError."""
        if not self.is_there():
            raise ObjectMissingError
        marks = [_MARK.fullmatch(name) for name in os.listdir(self.directory)]
        return dict(sorted((int(mark[1]), mark[2]) for mark in marks if mark))

    def check_open(self) -> None:
        """Raise AlreadyStoredError or ObjectMissingError if no part is taken any more."""
        if self.final.exists():
            raise AlreadyStoredError
        try:
            mode = self._whole.stat().st_mode
        except FileNotFoundError as error:
            raise ObjectMissingError("This upload was given up.") from error
        if mode & 0o777 == SEALED_MODE:
            raise AlreadyStoredError

    def store(self, number: int, offset: int, received: IncompleteObject) -> str:
        """Put a received part in its place and return its hash; the same part again is no work."""
        etag = received.sha256
        with storage_errors(), self._locked():
            self.check_open()
            known = self.etags().get(number)
            if known != etag:
                self._forget(number, known)
                faults.point("part.before_copy")
                self._copy(received, offset)
                faults.point("part.before_mark")
                self._mark(number, etag).touch()
                sync_directory(self.directory)
        faults.point("part.after_mark")
        return etag

    def complete(self, etags: Mapping[int, str]) -> None:
        """Publish the whole object, provided that it has exactly these parts."""
        with storage_errors(), self._locked():
            if not self._is_published():
                if self.etags() != etags:
                    raise ObjectMissingError("The parts are not those that are there.")
                self._seal()
                faults.point("assembly.before_link")
                if not publish(self._whole, self.final):
                    raise AlreadyStoredError
            faults.point("assembly.after_link")
            self._remove()

    def discard(self) -> None:
        """Take everything away except what was published; safe to repeat."""
        with storage_errors():
            try:
                with self._locked():
                    self._remove()
            except ObjectMissingError:
                # Whoever began to take it away, or to make it, was killed half-way.
                with suppress(FileNotFoundError):
                    shutil.rmtree(self.directory)

    @property
    def _whole(self) -> Path:
        return self.directory / "whole"

    def _mark(self, number: int, etag: str) -> Path:
        return self.directory / f"part-{number}-{etag}"

    def _is_published(self) -> bool:
        try:
            return self._whole.samefile(self.final)
        except FileNotFoundError:
            return False

    def _forget(self, number: int, known: str | None) -> None:
        """Take the mark off a part that is about to be replaced, before its bytes change."""
        if known is not None:
            self._mark(number, known).unlink()
            sync_directory(self.directory)

    def _copy(self, received: IncompleteObject, offset: int) -> None:
        with self._whole.open("r+b", buffering=0) as whole:
            received.copy_into(whole.fileno(), offset)
            # Here, part by part, and not when a person waits for the end of them all.
            os.fsync(whole.fileno())

    def _seal(self) -> None:
        with self._whole.open("rb") as whole:
            os.fchmod(whole.fileno(), SEALED_MODE)
            os.fsync(whole.fileno())

    def _remove(self) -> None:
        self._whole.unlink(missing_ok=True)
        faults.point("assembly.half_removed")
        shutil.rmtree(self.directory)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock, which a process that is killed gives back; or ObjectMissingError."""
        try:
            # For writing: some file systems lock a file for one holder only then.
            descriptor = os.open(self.directory / "lock", os.O_RDWR)
        except FileNotFoundError as error:
            raise ObjectMissingError("This upload was given up.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def discard_older(parent: Path, than: float) -> int:
    """Discard uploads to which nothing came since `than`, in Unix seconds; return how many."""
    with storage_errors():
        old = [path for path in children(parent) if is_older(path, than)]
    for directory in old:
        # Nothing is published by this: the second path is not looked at.
        Assembly(directory, directory).discard()
    return len(old)
