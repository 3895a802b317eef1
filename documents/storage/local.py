"""Objects as files under one directory: the embedded default of the storage port.

    <root>/objects/<area>/<two hex digits>/<rest of the key, "/" written "~">
    <root>/incomplete/<random>         what is being received or read; swept after a day
    <root>/multipart/<key>.<random>/   an object that arrives in parts: see assembly.py

`area` is the key's first segment, so that sweeping `incoming/` never walks the library;
the digits spread an area over 256 directories, with what is made of one document in the
same. "~" is not legal in a key, so no two keys share a path and no key is a directory of
another.

A write URL works once. Deleting or promoting an incoming object does not free its
name: an empty, writable file, the *tombstone*, is renamed over it in the same instant.
A late or repeated PUT publishes by `link`, finds the name taken and is refused: there
is no moment in between. Tombstones cost one inode each and are swept once no URL for
the key can be valid and no upload under such a URL can still be running.
"""

import filecmp
import os
import stat as stat_bits
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from documents.errors import AlreadyStoredError, ConflictError, ObjectMissingError
from documents.storage import signing
from documents.storage.assembly import Assembly, discard_older
from documents.storage.durable import children, is_older, make_directory, publish, sync_directory
from documents.storage.incomplete import (
    PIECE_BYTES,
    IncompleteObject,
    read_sha256,
    storage_errors,
)
from documents.storage.interface import (
    DERIVED_PREFIX,
    INCOMING_PREFIX,
    MAX_URL_SECONDS,
    Multipart,
    ObjectStat,
    Part,
    PresignedPut,
    check_content_type,
    check_key,
    check_multipart,
    check_part,
    check_promotion,
    check_put,
    check_url_life,
)

INCOMPLETE_SECONDS = 24 * 60 * 60
# An upload may run on after its URL expired, but is refused if it takes longer than this.
MAX_UPLOAD_SECONDS = 24 * 60 * 60
TOMBSTONE_SECONDS = MAX_URL_SECONDS + MAX_UPLOAD_SECONDS

TOMBSTONE_MODE = 0o600
# "derived", the workspace and the document: what is made of it is found by these.
FOLDER_SEGMENTS = 3


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """The storage port over a directory; any number of threads and processes may share it."""

    root: Path

    def presign_put(
        self, key: str, *, size: int, content_type: str, sha256: str | None, expires_seconds: int
    ) -> PresignedPut:
        """Sign a relative URL that stores exactly these bytes, at most once."""
        check_put(
            key,
            size=size,
            content_type=content_type,
            sha256=sha256,
            expires_seconds=expires_seconds,
        )
        expires_at = signing.expiry(expires_seconds)
        grant = signing.PutGrant(key, expires_at, size, content_type, sha256)
        return PresignedPut(
            method=grant.method,
            url=signing.sign_url(grant),
            headers={"Content-Type": content_type},
            expires_at=datetime.fromtimestamp(expires_at, UTC),
        )

    def begin_multipart(
        self, key: str, *, size: int, part_size: int, content_type: str
    ) -> Multipart:
        """Make the place that parts are put together in; the type travels in signed URLs."""
        check_multipart(key, size=size, part_size=part_size, content_type=content_type)
        upload = Multipart(key, uuid.uuid4().hex, size, part_size)
        self._assembly(key, upload.id).begin(size)
        return upload

    def presign_part(self, upload: Multipart, number: int, *, expires_seconds: int) -> PresignedPut:
        """Sign a relative URL for one part of one upload."""
        check_part(upload, number, expires_seconds)
        expires_at = signing.expiry(expires_seconds)
        place = (number, upload.offset(number), upload.length(number))
        grant = signing.PartGrant(upload.key, expires_at, upload.id, *place)
        until = datetime.fromtimestamp(expires_at, UTC)
        return PresignedPut(grant.method, signing.sign_url(grant), {}, until)

    def list_parts(self, upload: Multipart) -> list[Part]:
        """Return the parts that are in their places."""
        with storage_errors():
            etags = self._assembly(upload.key, upload.id).etags()
        return [Part(number, upload.length(number), etag) for number, etag in etags.items()]

    def complete_multipart(self, upload: Multipart, parts: Sequence[Part]) -> None:
        """Publish what was put together; nothing is copied, however large it is."""
        if len(parts) != upload.part_count:
            raise ObjectMissingError
        assembly = self._assembly(upload.key, upload.id)
        try:
            assembly.complete({part.number: part.etag for part in parts})
        except ObjectMissingError:
            if assembly.is_there() or self.stat(upload.key) is None:
                raise

    def abort_multipart(self, upload: Multipart) -> None:
        """Take the parts away; whoever sends one from now on is refused."""
        self._assembly(upload.key, upload.id).discard()

    def check_part(self, grant: signing.PartGrant) -> None:
        """Raise AlreadyStoredError or ObjectMissingError if the part is not taken any more."""
        with storage_errors():
            self._assembly(grant.key, grant.upload).check_open()

    def store_part(self, grant: signing.PartGrant, received: IncompleteObject) -> str:
        """Put a received part in its place and return its entity tag."""
        assembly = self._assembly(grant.key, grant.upload)
        return assembly.store(grant.number, grant.offset, received)

    def presign_get(
        self,
        key: str,
        *,
        filename: str,
        content_type: str,
        expires_seconds: int,
        inline: bool = False,
    ) -> str:
        """Sign a relative URL that reads the object."""
        check_key(key)
        check_content_type(content_type)
        check_url_life(expires_seconds)
        expires_at = signing.expiry(expires_seconds)
        return signing.sign_url(signing.GetGrant(key, expires_at, filename, content_type, inline))

    def stat(self, key: str) -> ObjectStat | None:
        """Describe the object, or None if there is none."""
        with storage_errors():
            return _stat(self._path(key))

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Read the object as a seekable stream; it stays readable if deleted meanwhile."""
        stream, _ = self.open_described(key)
        with stream:
            yield stream

    @contextmanager
    def as_file(self, key: str) -> Iterator[Path]:
        """Give the stored file itself, without a copy, under a name of its own; read-only.

        The name outlives a promotion or deletion meanwhile, so that a reader never
        finds a tombstone where the bytes were.
        """
        path = self._path(key)
        with ExitStack() as stack:
            with storage_errors():
                pinned = stack.enter_context(self._pinned(path))
                if _stat(pinned) is None:
                    raise ObjectMissingError
            yield pinned

    def put(self, key: str, content: bytes | BinaryIO, content_type: str) -> ObjectStat:
        """Store the content, replacing what was there; the type travels in signed URLs."""
        check_content_type(content_type)
        path = self._path(key)
        incomplete = self.begin()
        try:
            for piece in _pieces(content):
                incomplete.write(piece)
            incomplete.seal()
            with storage_errors():
                stat = _describe(incomplete.path, incomplete.path.stat())
                make_directory(path.parent)
                os.replace(incomplete.path, path)
                sync_directory(path.parent)
        finally:
            incomplete.discard()
        return stat

    def promote(self, source: str, target: str, *, if_etag: str) -> None:
        """Give the verified file its final name as well, then bury the incoming one."""
        check_promotion(source, target)
        incoming, final = self._path(source), self._path(target)
        with storage_errors(), self._pinned(incoming) as pinned:
            stat = _stat(pinned)
            if stat is None:
                _check_promoted(final, if_etag)
            elif stat.etag != if_etag:
                raise ConflictError("The uploaded bytes changed while they were checked.")
            elif not publish(pinned, final) and not filecmp.cmp(pinned, final, shallow=False):
                raise AlreadyStoredError
        self.delete(source)

    def delete(self, key: str) -> None:
        """Remove the object if it is there; leave a tombstone for an incoming key."""
        path = self._path(key)
        with storage_errors():
            if key.startswith(INCOMING_PREFIX):
                self._bury(path)
            elif path.exists():
                path.unlink(missing_ok=True)
                sync_directory(path.parent)

    def list(self, prefix: str) -> Iterator[tuple[str, ObjectStat]]:
        """Yield every object whose key starts with the prefix, in no particular order."""
        with storage_errors():
            for path in self._paths(prefix):
                stat = _stat(path)
                if stat is not None:
                    yield _key(path), stat

    def sweep(self) -> int:
        """Remove abandoned uploads after a day and tombstones after two; return how many."""
        now = time.time()
        with storage_errors():
            abandoned = [
                path
                for path in self._incomplete_directory().iterdir()
                if is_older(path, now - INCOMPLETE_SECONDS)
            ]
            spent = [
                path
                for path in self._paths(INCOMING_PREFIX)
                if _is_tombstone(path) and is_older(path, now - TOMBSTONE_SECONDS)
            ]
            for path in (*abandoned, *spent):
                path.unlink(missing_ok=True)
        given_up = discard_older(self.root / "multipart", now - MAX_URL_SECONDS)
        return len(abandoned) + len(spent) + given_up

    def begin(self) -> IncompleteObject:
        """Start receiving an object; the caller discards it in a `finally`."""
        with storage_errors():
            directory = self._incomplete_directory()
        return IncompleteObject(directory)

    def publish(self, incomplete: IncompleteObject, key: str) -> ObjectStat:
        """Make a received object visible; AlreadyStoredError if the key was ever used.

        Of any number of concurrent callers exactly one succeeds.
        """
        incomplete.seal()
        with storage_errors():
            stat = _describe(incomplete.path, incomplete.path.stat())
            if not publish(incomplete.path, self._path(key)):
                raise AlreadyStoredError
        return stat

    def open_described(self, key: str) -> tuple[BinaryIO, ObjectStat]:
        """Open the object and describe those very bytes, even if it is replaced meanwhile."""
        with storage_errors():
            return _open(self._path(key))

    def is_taken(self, key: str) -> bool:
        """Tell whether the key holds an object or held one under a URL that may be valid."""
        with storage_errors():
            return self._path(key).exists()

    def _path(self, key: str) -> Path:
        check_key(key)
        return self.root / "objects" / _area(key) / _shard(key) / key.replace("/", "~")

    def _assembly(self, key: str, upload_id: str) -> Assembly:
        # Both, so that an upload is never found under another key.
        name = f"{check_key(key)}.{upload_id}".replace("/", "~")
        return Assembly(self.root / "multipart" / name, self._path(key))

    def _paths(self, prefix: str) -> Iterator[Path]:
        objects = self.root / "objects"
        areas = [objects / _area(prefix)] if "/" in prefix else children(objects)
        name_start = prefix.replace("/", "~")
        is_in_one = prefix.startswith(DERIVED_PREFIX) and prefix.count("/") >= FOLDER_SEGMENTS
        for area in areas:
            for shard in [area / _shard(prefix)] if is_in_one else children(area):
                yield from (path for path in children(shard) if path.name.startswith(name_start))

    def _incomplete_directory(self) -> Path:
        directory = self.root / "incomplete"
        make_directory(directory)
        return directory

    @contextmanager
    def _pinned(self, path: Path) -> Iterator[Path]:
        """Give the file a second, private name, so that what is compared is what is published."""
        pin = self._incomplete_directory() / uuid.uuid4().hex
        with suppress(FileNotFoundError):
            os.link(path, pin)
        try:
            yield pin
        finally:
            pin.unlink(missing_ok=True)

    def _bury(self, path: Path) -> None:
        """Replace whatever is at the path by a tombstone, in one step."""
        if _is_tombstone(path):
            return
        tombstone = self._incomplete_directory() / uuid.uuid4().hex
        try:
            tombstone.touch(mode=TOMBSTONE_MODE)
            make_directory(path.parent)
            os.replace(tombstone, path)
        finally:
            tombstone.unlink(missing_ok=True)
        sync_directory(path.parent)


def _area(key: str) -> str:
    first, slash, _ = key.partition("/")
    return first if slash else "~"


def _shard(key: str) -> str:
    if key.startswith(DERIVED_PREFIX):
        key = "/".join(key.split("/")[:FOLDER_SEGMENTS])
    return sha256(key.encode("ascii")).hexdigest()[:2]


def _key(path: Path) -> str:
    return path.name.replace("~", "/")


def _stat(path: Path) -> ObjectStat | None:
    try:
        found = path.stat()
        return None if _marks_a_grave(found) else _describe(path, found)
    except FileNotFoundError:
        return None


def _describe(source: Path | int, found: os.stat_result) -> ObjectStat:
    known = read_sha256(source)
    return ObjectStat(
        size=found.st_size,
        etag=known or f"{found.st_mtime_ns:x}-{found.st_size:x}",
        sha256=known,
        modified_at=datetime.fromtimestamp(found.st_mtime, UTC),
    )


def _open(path: Path) -> tuple[BinaryIO, ObjectStat]:
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise ObjectMissingError from error
    found = os.fstat(stream.fileno())
    if _marks_a_grave(found):
        stream.close()
        raise ObjectMissingError
    return stream, _describe(stream.fileno(), found)


def _check_promoted(final: Path, if_etag: str) -> None:
    """Raise ObjectMissingError unless an earlier promotion of these bytes got this far."""
    promoted = _stat(final)
    if promoted is None or promoted.etag != if_etag:
        raise ObjectMissingError


def _is_tombstone(path: Path) -> bool:
    try:
        return _marks_a_grave(path.stat())
    except FileNotFoundError:
        return False


def _marks_a_grave(found: os.stat_result) -> bool:
    return found.st_size == 0 and bool(found.st_mode & stat_bits.S_IWUSR)


def _pieces(content: bytes | BinaryIO) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    while piece := content.read(PIECE_BYTES):
        yield piece
