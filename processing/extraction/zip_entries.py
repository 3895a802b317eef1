"""The entries of a zip archive."""

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from processing.extraction.entries import Budget, Counted, Entry, Readable

_LOCKED_FLAGS = 0x1 | 0x40
_UTF8_FLAG = 0x800
# "Info-ZIP Unicode Path Extra Field": APPNOTE.TXT of PKWARE, 4.6.9.
_UNICODE_PATH = 0x7075
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError),
    *(NotImplementedError, struct.error),
)
_PACKED = (
    *(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
    *(zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA),
)


def entries(path: Path, budget: Budget) -> Iterator[Entry]:
    """Yield what the directory at the end of the archive lists."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        budget.count(len(infos))
        for number, info in enumerate(infos):
            yield Entry(
                number,
                _name_of(info),
                partial(_open, archive, info, budget),
                is_folder=info.is_dir(),
                is_locked=bool(info.flag_bits & _LOCKED_FLAGS),
                trouble=_trouble(info),
                damage=_DAMAGE,
            )


def _trouble(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "It is a link, and links are not followed."
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "It is a device or a pipe."
    if info.compress_type not in _PACKED:
        return "It is packed in a way that is not known here."
    return ""


@contextmanager
def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[Readable]:
    with archive.open(info) as stream:
        yield Counted(stream, budget)


def _name_of(info: zipfile.ZipInfo) -> str:
    """Return the name as its writer meant it: many write UTF-8 and do not say so."""
    name = _unicode_path(info) or info.filename
    if not info.flag_bits & _UTF8_FLAG and name == info.filename:
        try:
            # What has no flag was taken for code page 437, which has a character for each byte.
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    # Some writers for Windows do not know that the separator is always a slash.
    return name.replace("\\", "/")


def _unicode_path(info: zipfile.ZipInfo) -> str:
    """Return the name that an extra field gives in UTF-8, if it is about this very name."""
    rest = info.extra
    while len(rest) >= 4:
        kind, size = struct.unpack("<HH", rest[:4])
        value, rest = rest[4 : 4 + size], rest[4 + size :]
        if kind != _UNICODE_PATH or len(value) < 6 or value[0] != 1:
            continue
        raw = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8_FLAG else "cp437")
        if struct.unpack("<L", value[1:5])[0] == zlib.crc32(raw):
            return value[5:].decode("utf-8", "replace").partition("\0")[0]
    return ""
