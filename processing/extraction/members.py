"""What is in an archive or attached to a mail: list it and take members out, within limits.

What an archive declares is not believed: entries may lie about their size, overlap, or
unpack to far more than they hold (https://www.bamsoftware.com/hacks/zipbomb/). Nothing
is written under a name from an archive.
"""

import hashlib
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from documents.errors import CorruptError, EmptyDocumentError, EncryptedError
from documents.folders import is_junk_folder, is_junk_name, shown
from processing.extraction import cms, mail_entries, media_types, tar_entries, zip_entries
from processing.extraction.entries import Allowed, Budget, Entry, MemberError, Readable
from processing.extraction.text import clean

_BLOCK_BYTES = 1024**2
_DRIVE = re.compile(r"^[A-Za-z]:")
# Of a name that is refused, so much is told.
_SHOWN_CHARACTERS = 300
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, struct.error),
)
_ENCRYPTED = "It is protected by a password."


@dataclass(frozen=True, slots=True)
class Member:
    """Something in an archive that can become a document; `number` is its place, from 0."""

    number: int
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RefusedMember:
    """Something in an archive that cannot, and the sentence that says why."""

    path: str
    reason: str


@dataclass(slots=True)
class Contents:
    """All that is in an archive; `left_out` counts what systems and tools leave behind."""

    members: list[Member] = field(default_factory=list)
    refused: list[RefusedMember] = field(default_factory=list)
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the same in plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Contents":
        """Build what `to_json` returned."""
        return cls(
            [Member(**member) for member in data["members"]],
            [RefusedMember(**refused) for refused in data["refused"]],
            int(data["left_out"]),
        )


def list_members(path: Path, media_type: str, allowed: Allowed, name: str = "") -> Contents:
    """Inflate everything once, keep nothing, and say what is there; `name` is the archive's.

    Raises TooComplexError beyond the limits, EncryptedError when nothing can be opened
    without a password, EmptyDocumentError when nothing is there, CorruptError.
    """
    contents = Contents()
    n_locked = 0
    with _archive_errors():
        for entry in _entries(path, media_type, allowed, name):
            if entry.is_folder:
                continue
            n_locked += entry.is_locked
            _note(entry, allowed, contents)
    n = len(contents.members) + len(contents.refused) + contents.left_out
    if n == 0:
        raise EmptyDocumentError("The archive has nothing in it.")
    if n_locked == n:
        raise EncryptedError("The archive is protected by a password.")
    return contents


def unpack(
    path: Path, media_type: str, wanted: dict[int, int], into: Path, allowed: Allowed
) -> None:
    """Write the wanted members, each named by its number, as `into/<number>`.

    `wanted` has the size of each by its number; CorruptError when one differs.
    """
    left = dict(wanted)
    with _archive_errors():
        for entry in _entries(path, media_type, allowed):
            size = left.pop(entry.number, None)
            if size is not None:
                _write(entry, into / str(entry.number), size)
            if not left:
                return
    raise CorruptError("The archive is damaged: members are missing from it.")


def _write(entry: Entry, path: Path, size: int) -> None:
    with entry.open() as source, path.open("wb") as target:
        written = sum(target.write(block) for block in _blocks(source, size))
    if written != size:
        raise CorruptError("The archive is damaged: a member has another size than before.")


def _entries(path: Path, media_type: str, allowed: Allowed, name: str = "") -> Iterator[Entry]:
    """Yield every entry in its order; each must be read before the next is asked for."""
    budget = Budget(allowed, path.stat().st_size)
    if media_type == media_types.ZIP:
        return zip_entries.entries(path, budget)
    if media_type in media_types.MAIL:
        return mail_entries.entries(path, media_type, budget)
    if media_type == media_types.CMS:
        return cms.entries(path, name, budget)
    return tar_entries.entries(path, media_type, budget)


def _note(entry: Entry, allowed: Allowed, contents: Contents) -> None:
    """Put one entry where it belongs; only a plain one is inflated."""
    parts = [part for part in entry.name.split("/") if part not in {"", "."}]
    if entry.is_decoration or _is_junk(parts):
        contents.left_out += 1
        return
    try:
        with _member_errors(entry):
            _check(entry, parts)
            size, sha256 = _measure(entry, allowed.member_bytes)
    except MemberError as error:
        name = clean(shown(entry.name)).replace("\n", " ")[:_SHOWN_CHARACTERS]
        contents.refused.append(RefusedMember(name, str(error)))
        return
    contents.members.append(Member(entry.number, "/".join(parts), size, sha256))


def _is_junk(parts: list[str]) -> bool:
    folders, name = parts[:-1], parts[-1] if parts else ""
    return is_junk_name(name) or any(is_junk_folder(folder) for folder in folders)


def _check(entry: Entry, parts: list[str]) -> None:
    outside = PurePosixPath(entry.name).is_absolute() or _DRIVE.match(entry.name)
    if not parts or outside or ".." in parts:
        raise MemberError("Its name leads out of the archive.")
    if entry.trouble:
        raise MemberError(entry.trouble)
    if entry.is_locked:
        raise MemberError(_ENCRYPTED)


@contextmanager
def _archive_errors() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as exc:
        # The kernel's errors concern the machine; those of decompressors have no number.
        if isinstance(exc, OSError) and exc.errno is not None:
            raise
        raise CorruptError("The archive is damaged or was cut off.") from exc


@contextmanager
def _member_errors(entry: Entry) -> Iterator[None]:
    """Refuse a damaged member alone, where the next one can be found without it."""
    try:
        yield
    except entry.damage as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise
        raise MemberError("It is damaged.") from exc


def _measure(entry: Entry, most: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with entry.open() as stream:
        for block in _blocks(stream, most):
            size += len(block)
            digest.update(block)
    if size > most:
        raise MemberError(f"It is larger than {most} bytes, which is the limit.")
    return size, digest.hexdigest()


def _blocks(stream: Readable, most: int) -> Iterator[bytes]:
    """Yield a stream until it ends, or is one byte longer than expected."""
    left = most + 1
    while left and (block := stream.read(min(left, _BLOCK_BYTES))):
        left -= len(block)
        yield block
