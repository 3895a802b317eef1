"""Archives for tests, kind ones and hostile ones."""

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

Entries = Mapping[str, bytes] | Iterable[tuple[str, bytes]]


def zipped(entries: Entries, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these members, in this order."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in _pairs(entries):
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return packed.getvalue()


def tarred(entries: Entries, mode: str = "w:gz") -> bytes:
    """Return a tar of these members, in this order."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in _pairs(entries):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def tarred_specials(mode: str = "w") -> bytes:
    """Return a tar of everything in it that is no document, and one that is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, kind in (
            ("soft", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("device", tarfile.CHRTYPE),
            ("block", tarfile.BLKTYPE),
            ("pipe", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("/etc/absolute.txt", "../outside.txt", "a/../../outside.txt", "good.txt"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"good"))
    return packed.getvalue()


def zip_with_link() -> bytes:
    """Return a zip with a symbolic link in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("good.txt", "good")
    return packed.getvalue()


def locked(content: bytes, names: Iterable[str]) -> bytes:
    """Return a zip with the flag of a password set on these members."""
    packed = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        offsets = {info.filename: info.header_offset for info in archive.infolist()}
        start = archive.start_dir
    for name in names:
        packed[offsets[name] + 6] |= 1
    while packed[start : start + 4] == b"PK\x01\x02":
        n, extra, comment = struct.unpack("<HHH", packed[start + 28 : start + 34])
        if packed[start + 46 : start + 46 + n].decode() in set(names):
            packed[start + 8] |= 1
        start += 46 + n + extra + comment
    return bytes(packed)


def overlapping_bomb(kernel_bytes: int, n: int) -> bytes:
    """Return a zip whose directory names one packed member `n` times.

    https://www.bamsoftware.com/hacks/zipbomb/
    """
    whole = zipped({"0": bytes(kernel_bytes)})
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        start = archive.start_dir
    body, entry = whole[:start], whole[start : whole.index(b"PK\x05\x06")]
    directory = entry * n
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, n, n, len(directory), start, 0)
    return body + directory + end


def zip_with_sizes(content: bytes, claimed: int) -> bytes:
    """Return a zip whose one member claims another size than it has."""
    packed = bytearray(zipped({"liar.txt": content}))
    actual = struct.pack("<L", len(content))
    return bytes(packed.replace(actual, struct.pack("<L", claimed)))


def raw_named_zip(raw: bytes, content: bytes) -> bytes:
    """Return a zip whose one member has a name of these bytes and no word on what they are."""
    stand_in = ("x" * len(raw)).encode()
    return zipped({stand_in.decode(): content}).replace(stand_in, raw)


def zip_with_unicode_path(name: str, content: bytes) -> bytes:
    """Return a zip that gives its member's name in Info-ZIP's extra field."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("plain.txt")
        raw = name.encode()
        value = struct.pack("<BL", 1, zlib.crc32(b"plain.txt")) + raw
        info.extra = struct.pack("<HH", 0x7075, len(value)) + value
        archive.writestr(info, content)
    return packed.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _pairs(entries: Entries) -> Iterable[tuple[str, bytes]]:
    return entries.items() if isinstance(entries, Mapping) else entries
