"""Tell apart the formats that share a container: zip packages, tars, OLE compound documents."""

import lzma
import re
import tarfile
import zipfile
import zlib
from pathlib import Path

from processing.extraction import media_types
from processing.extraction.compression import MAGIC, open_stream

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_TAR_BLOCK = 512
_TAR_SUFFIXES = frozenset({".tar", ".tgz", ".gz", ".tbz", ".tbz2", ".bz2", ".txz", ".xz"})
_MAIN_PARTS = {
    "word/": media_types.DOCX,
    "ppt/": media_types.PPTX,
    "xl/": media_types.XLSX,
}
_OPEN_DOCUMENT = (media_types.ODT, media_types.ODS, media_types.ODP)
_DECLARED = {
    b"application/epub+zip": media_types.EPUB,
    **{name.encode(): name for name in _OPEN_DOCUMENT},
    # Templates are read like the documents that are made from them.
    **{f"{name}-template".encode(): name for name in _OPEN_DOCUMENT},
}
_OLE_STREAMS = {
    "worddocument": media_types.DOC,
    "workbook": media_types.XLS,
    "book": media_types.XLS,
    "powerpoint document": media_types.PPT,
    "__properties_version1.0": media_types.MSG,
}
# RuntimeError is what zipfile raises for an entry with a password.
_ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, KeyError, OSError),
)
_CONTENT_TYPES = "[Content_Types].xml"
_MAX_CONTENT_TYPES_BYTES = 1024**2
_MACROS = {
    media_types.XLSX: (b"sheet.macroEnabled", media_types.XLSM),
    media_types.DOCX: (
        b"ms-word.document.macroEnabled",
        "application/vnd.ms-word.document.macroenabled.12",
    ),
}


def zip_type(path: Path, suffix: str) -> str:
    """Name what a zip archive is; the suffix decides only when the archive cannot be opened."""
    try:
        with zipfile.ZipFile(path) as package:
            return _package_type(package, suffix)
    except _ARCHIVE_ERRORS:
        # A broken archive is what its name says, so that its reader can say what is broken.
        return media_types.PACKAGE_SUFFIXES.get(suffix, media_types.ZIP)


def ole_type(path: Path, suffix: str) -> str:
    """Name what an OLE compound document is; encrypted Office packages hide which one they are."""
    import olefile  # late: only a compound document needs it

    try:
        with olefile.OleFileIO(str(path)) as compound:
            streams = {"/".join(entry).lower() for entry in compound.listdir()}
    except (OSError, ValueError, IndexError, TypeError):
        return media_types.OLE_SUFFIXES.get(suffix, media_types.UNKNOWN)
    if "encryptedpackage" in streams:
        return media_types.OOXML_SUFFIXES.get(suffix, media_types.DOCX)
    for stream, media_type in _OLE_STREAMS.items():
        if stream in streams:
            return media_type
    return "application/x-ole-storage"


def tar_type(path: Path, sample: bytes, suffix: str) -> str:
    """Name which kind of tar this is; nothing if it is none."""
    for magic, media_type in MAGIC.items():
        if sample.startswith(magic):
            try:
                with open_stream(path, media_type) as stream:
                    return media_type if _is_tar(stream.read(_TAR_BLOCK), suffix) else ""
            except (*_ARCHIVE_ERRORS, lzma.LZMAError):
                # Its reader can say what is broken.
                return media_type if suffix in _TAR_SUFFIXES else ""
    return media_types.TAR if _is_tar(sample[:_TAR_BLOCK], suffix) else ""


def _is_tar(block: bytes, suffix: str) -> bool:
    if block == bytes(_TAR_BLOCK):
        # A tar of nothing is only zeros: its name has to say that it is one.
        return suffix in _TAR_SUFFIXES
    try:
        # The header has a checksum, which older kinds have too, that know no magic number.
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _package_type(package: zipfile.ZipFile, suffix: str) -> str:
    names = package.namelist()
    if "mimetype" in names and package.getinfo("mimetype").file_size < 200:
        declared = package.read("mimetype").strip()
        return _DECLARED.get(declared, _other(declared))
    is_opc = _CONTENT_TYPES in names
    # Somebody's archive may have a folder called "word".
    if is_opc or suffix in media_types.OOXML_SUFFIXES:
        for folder, media_type in _MAIN_PARTS.items():
            if any(name.startswith(folder) for name in names):
                return _with_macros(package, media_type)
    if is_opc:
        return media_types.OPC
    return media_types.JAR if "META-INF/MANIFEST.MF" in names else media_types.ZIP


def _with_macros(package: zipfile.ZipFile, media_type: str) -> str:
    marker, with_macros = _MACROS.get(media_type, (b"", ""))
    part = _CONTENT_TYPES
    if not marker or part not in package.namelist():
        return media_type
    if package.getinfo(part).file_size > _MAX_CONTENT_TYPES_BYTES:
        return media_type
    return with_macros if marker in package.read(part) else media_type


def _other(declared: bytes) -> str:
    """Pass on what another format declares (a spreadsheet of LibreOffice), if it is a name."""
    is_name = re.fullmatch(rb"application/[A-Za-z0-9.+-]+", declared)
    return declared.decode() if is_name else media_types.ZIP
