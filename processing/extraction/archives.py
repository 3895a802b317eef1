"""Zip packages (Office, OpenDocument, EPUB) are walked with limits before a parser sees them."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from documents.errors import CorruptError, EncryptedError, TooComplexError
from processing.extraction import limits

_BLOCK_BYTES = 1024**2
_ENCRYPTED_FLAG = 0x1
_DRIVE = re.compile(r"^[A-Za-z]:")
_XML_SUFFIXES = (".xml", ".rels", ".opf", ".ncx", ".xhtml", ".html", ".vml")
_DEFINES = b"<!ENTITY"
# In UTF-16 and UTF-32 there are zeros between the characters.
_ENTITY = re.compile(rb"\0{0,3}".join(bytes([byte]) for byte in _DEFINES), re.IGNORECASE)
_ENTITY_BYTES = 4 * len(_DEFINES)


@contextmanager
def open_package(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip package that passed `check_package`."""
    check_package(path)
    with _package_errors(), zipfile.ZipFile(path) as package:
        yield package


def check_package(path: Path) -> None:
    """Inflate every entry once, keeping nothing, and refuse what goes beyond the limits.

    What the directory declares is not believed: entries may overlap or lie about
    their size (https://www.bamsoftware.com/hacks/zipbomb/). Raises CorruptError,
    EncryptedError or TooComplexError.
    """
    with _package_errors(), zipfile.ZipFile(path) as package:
        entries = package.infolist()
        if len(entries) > limits.MAX_ENTRIES:
            raise TooComplexError(
                f"The document is a package of {len(entries):,} parts;"
                f" the limit is {limits.MAX_ENTRIES:,}."
            )
        total = 0
        for entry in entries:
            _check_name(entry.filename)
            if entry.flag_bits & _ENCRYPTED_FLAG:
                raise EncryptedError("The document is protected by a password.")
            total += _inflate(package, entry, total)


@contextmanager
def _package_errors() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as exc:
        raise CorruptError("The document is damaged: its parts cannot be unpacked.") from exc
    except KeyError as exc:
        raise CorruptError("The document is damaged: a part of it is missing.") from exc


def _check_name(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(name):
        raise TooComplexError("The document names parts outside of itself and is not opened.")


def _inflate(package: zipfile.ZipFile, entry: zipfile.ZipInfo, before: int) -> int:
    size, before_block = 0, b""
    is_xml = entry.filename.lower().endswith(_XML_SUFFIXES)
    with package.open(entry) as stream:
        while block := stream.read(_BLOCK_BYTES):
            size += len(block)
            ratio = size / max(entry.compress_size, 1)
            if size > limits.RATIO_FREE_BYTES and ratio > limits.MAX_RATIO:
                raise TooComplexError("The document unpacks to far more than it holds.")
            if size > limits.MAX_ENTRY_BYTES or before + size > limits.MAX_INFLATED_BYTES:
                raise TooComplexError(
                    f"The document unpacks to more than {limits.MAX_INFLATED_BYTES // 1024**2} MiB."
                )
            # No format of these defines entities of its own: whoever does wants them expanded.
            if is_xml and _ENTITY.search(before_block + block):
                raise TooComplexError("The document defines XML entities, which are not expanded.")
            before_block = block[-_ENTITY_BYTES:]
    return size
