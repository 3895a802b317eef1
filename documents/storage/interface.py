"""The port to object storage: what Sluice asks of a store, in bytes and strings.

Every backend implements `Storage` and passes `tests/documents/test_storage_contract.py`.
Bytes arrive under an *incoming* key, the only kind of key a URL is ever signed for
writing, and are promoted to a final key once they are verified.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from documents.errors import InvalidError, InvalidPathError

INCOMING_PREFIX = "incoming/"
# What is made of documents, and made again when it is lost.
DERIVED_PREFIX = "derived/"
MAX_KEY_LENGTH = 200
# One day bounds how long a store must remember that a write URL was used.
MAX_URL_SECONDS = 24 * 60 * 60
# What S3 allows. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_PARTS = 10_000

_KEY = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEADER_TEXT = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class PresignedPut:
    """Everything a client needs to send one object: all headers must be sent as given."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What a store knows about an object; `sha256` is None where it never computed one."""

    size: int
    etag: str
    sha256: str | None
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Multipart:
    """An object on its way in as parts: part n holds the bytes from (n-1) * part_size on."""

    key: str
    id: str
    size: int
    part_size: int

    @property
    def part_count(self) -> int:
        """Return how many parts there are; their numbers begin at 1."""
        return -(-self.size // self.part_size)

    def offset(self, number: int) -> int:
        """Return where the part begins in the object."""
        return (number - 1) * self.part_size

    def length(self, number: int) -> int:
        """Return how many bytes the part has: the last one what is left."""
        return min(self.part_size, self.size - self.offset(number))


@dataclass(frozen=True, slots=True)
class Part:
    """One part as the store holds it; the entity tag changes with its bytes."""

    number: int
    size: int
    etag: str


class Storage(Protocol):
    """A place for bytes. Keys are checked by `check_key`; failures are `StorageError`."""

    def presign_put(
        self, key: str, *, size: int, content_type: str, sha256: str | None, expires_seconds: int
    ) -> PresignedPut:
        """Sign a URL that stores exactly these bytes under an incoming key, at most once."""
        ...

    def begin_multipart(
        self, key: str, *, size: int, part_size: int, content_type: str
    ) -> Multipart:
        """Begin an object in parts under an incoming key; a store may want larger parts."""
        ...

    def presign_part(self, upload: Multipart, number: int, *, expires_seconds: int) -> PresignedPut:
        """Sign a URL that stores one part of exactly its length; sent again, it is replaced."""
        ...

    def list_parts(self, upload: Multipart) -> Sequence[Part]:
        """Return the parts that are there, by number; ObjectMissingError without the upload."""
        ...

    def complete_multipart(self, upload: Multipart, parts: Sequence[Part]) -> None:
        """Make one object of all parts, in one step, out of reach of their URLs.

        Safe to repeat: an upload that was completed before succeeds while the object is there.
        Raises ObjectMissingError if a part is missing or another one than given, or without
        the upload, and AlreadyStoredError if the key was used for something else or somebody
        else completes the upload right now.
        """
        ...

    def abort_multipart(self, upload: Multipart) -> None:
        """Take the parts away, if there are any; what was completed stays as it is."""
        ...

    def presign_get(
        self,
        key: str,
        *,
        filename: str,
        content_type: str,
        expires_seconds: int,
        inline: bool = False,
    ) -> str:
        """Sign a URL that reads the object, as an attachment unless `inline` suits its type."""
        ...

    def stat(self, key: str) -> ObjectStat | None:
        """Describe the object, or None if there is none."""
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Read the object as a stream, seekable where the store can; or ObjectMissingError."""
        ...

    def as_file(self, key: str) -> AbstractContextManager[Path]:
        """Give the object as a path for reading only; or ObjectMissingError.

        The path has no useful suffix and lasts until the context ends, even if the
        object is promoted or deleted meanwhile.
        """
        ...

    def put(self, key: str, content: bytes | BinaryIO, content_type: str) -> ObjectStat:
        """Store the content under the key, atomically replacing what was there."""
        ...

    def promote(self, source: str, target: str, *, if_etag: str) -> None:
        """Move an incoming object to its final key, provided it is still the one verified.

        Safe to repeat: a promotion that was interrupted or already done succeeds.
        Raises ConflictError if the source changed, AlreadyStoredError if the target
        holds other bytes, ObjectMissingError if neither is there.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object if it is there; an incoming key can then not be written by URL."""
        ...

    def list(self, prefix: str) -> Iterator[tuple[str, ObjectStat]]:
        """Yield every object whose key starts with the prefix, in no particular order."""
        ...

    def sweep(self) -> int:
        """Remove what interrupted uploads and used URLs left behind; return how many.

        Multipart uploads go once nothing has come for as long as a URL can live.
        """
        ...


def check_key(key: str) -> str:
    """Return the key if every backend can hold it, else raise InvalidPathError."""
    segments = key.split("/")
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key) or ".." in key or "." in segments:
        raise InvalidPathError(f"{key[:MAX_KEY_LENGTH]!r} is not a storage key.")
    return key


def check_put(
    key: str, *, size: int, content_type: str, sha256: str | None, expires_seconds: int
) -> None:
    """Raise InvalidError unless a URL may be signed for this upload."""
    check_incoming(key)
    if size < 0:
        raise InvalidError(f"A document cannot have {size} bytes.")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InvalidError("A SHA-256 is 64 lower-case hexadecimal digits.")
    check_content_type(content_type)
    check_url_life(expires_seconds)


def check_incoming(key: str) -> None:
    """Raise InvalidPathError unless URLs may be signed for writing the key."""
    check_key(key)
    if not key.startswith(INCOMING_PREFIX):
        raise InvalidPathError(f"{key!r} is not under {INCOMING_PREFIX}: it is never writable.")


def check_multipart(key: str, *, size: int, part_size: int, content_type: str) -> None:
    """Raise InvalidError unless an object may be begun in such parts."""
    check_incoming(key)
    check_content_type(content_type)
    if size < 1 or part_size < 1 or size > part_size * MAX_PARTS:
        raise InvalidError(f"{size} bytes are not 1 to {MAX_PARTS} parts of {part_size}.")


def check_part(upload: Multipart, number: int, expires_seconds: int) -> None:
    """Raise InvalidError unless a URL may be signed for this part."""
    check_incoming(upload.key)
    check_url_life(expires_seconds)
    if not 1 <= number <= upload.part_count:
        raise InvalidError(f"There is no part {number} of {upload.part_count}.")


def check_promotion(source: str, target: str) -> None:
    """Raise InvalidPathError unless this moves an object out of reach of every write URL."""
    check_key(source)
    check_key(target)
    if not source.startswith(INCOMING_PREFIX) or target.startswith(INCOMING_PREFIX):
        raise InvalidPathError(f"{source!r} cannot be promoted to {target!r}.")


def check_content_type(content_type: str) -> None:
    """Raise InvalidError unless the type can stand in a header as it is."""
    if not _HEADER_TEXT.fullmatch(content_type):
        raise InvalidError("A content type is 1 to 255 printable ASCII characters.")


def check_url_life(expires_seconds: int) -> None:
    """Raise InvalidError unless a URL may live this long."""
    if not 0 < expires_seconds <= MAX_URL_SECONDS:
        raise InvalidError(f"A signed URL lives 1 to {MAX_URL_SECONDS} seconds.")
