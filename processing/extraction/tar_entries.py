"""The entries of a tar archive, plain or compressed, in one pass from its beginning."""

import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import IO, Self, cast

from documents.errors import CorruptError
from processing.extraction.compression import open_stream
from processing.extraction.entries import Budget, Counted, Entry, Readable

_BUFFER_BYTES = 1024**2


def entries(path: Path, media_type: str, budget: Budget) -> Iterator[Entry]:
    """Yield what follows one another in the archive. Raises CorruptError where it breaks off.

    Members that nobody wants are inflated too on the way past them, and spend likewise.
    """
    with open_stream(path, media_type) as packed:
        stream = cast(IO[bytes], Counted(packed, budget))  # As much of one as tarfile uses.
        with tarfile.open(
            fileobj=stream,
            mode="r|",
            bufsize=_BUFFER_BYTES,
            encoding="utf-8",
            errors="surrogateescape",
            tarinfo=_StrictInfo,
        ) as archive:
            for number, info in enumerate(archive):
                budget.count(number + 1)
                yield Entry(
                    number,
                    _name_of(info),
                    partial(_open, archive, info),
                    is_folder=info.isdir(),
                    trouble=_trouble(info),
                )


class _StrictInfo(tarfile.TarInfo):
    """A header that must be there: for tarfile a broken one is the end, and the rest is lost."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """Return the next header, or raise CorruptError where there should be one."""
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as exc:
            # Zeros mark the end (pax, "ustar Interchange Format"); typeshed leaves this one out.
            if isinstance(exc, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
                raise
            raise CorruptError("The archive is damaged or was cut off.") from exc


def _trouble(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "It is a link, and links are not followed."
    if info.issparse():
        # Its size is whatever it says, and most of it is not there.
        return "It is stored with gaps, which are not filled."
    return "" if info.isreg() or info.isdir() else "It is a device or a pipe."


def _open(archive: tarfile.TarFile, info: tarfile.TarInfo) -> AbstractContextManager[Readable]:
    stream = archive.extractfile(info)
    if stream is None:
        raise CorruptError("The archive is damaged: a member has no content.")
    return stream


def _name_of(info: tarfile.TarInfo) -> str:
    """Return the name as text: UTF-8, or what Western systems wrote before it."""
    try:
        info.name.encode("utf-8")
    except UnicodeEncodeError:
        return info.name.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return info.name
