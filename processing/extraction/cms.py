"""What a signed message or document (CMS, RFC 5652) holds; signatures are not verified.

Only the way to the content is followed, through whatever BER allows on it: indefinite
lengths, and octet strings in pieces.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePath

from documents.errors import CorruptError, EmptyDocumentError, EncryptedError
from processing.extraction.entries import Budget, Counted, Entry, Readable
from processing.extraction.limits import check_text_bytes

_PREFIX = bytes.fromhex("06092a864886f70d0107")
_SIGNED, _ENVELOPED, _ENCRYPTED = 2, 3, 6
# A tag and a length of up to 5 bytes stand before the name of the content's type.
_OFFSETS = range(2, 7)
_ARMOUR = re.compile(rb"-----(BEGIN|END) [A-Z0-9 #]+-----")
_SEQUENCE, _OCTETS, _OCTETS_IN_PIECES, _CONTENT, _SET = 0x30, 0x04, 0x24, 0xA0, 0x31
_MAX_DEPTH = 32


def is_cms(sample: bytes) -> bool:
    """Whether these are the first bytes of something signed or enveloped."""
    return sample[:1] == b"\x30" and any(
        sample[at : at + len(_PREFIX)] == _PREFIX
        and sample[at + len(_PREFIX) : at + len(_PREFIX) + 1] in (b"\x02", b"\x03", b"\x06")
        for at in _OFFSETS
    )


def is_armoured(text: str) -> bool:
    """Whether this is the beginning of the same in Base64, with the line that says so."""
    return text.startswith(("-----BEGIN PKCS7", "-----BEGIN CMS", "-----BEGIN PKCS #7"))


def content_of(data: bytes) -> bytes:
    """Return what is signed.

    Raises EncryptedError when it is enveloped, EmptyDocumentError when the signature
    stands alone, CorruptError.
    """
    data = data if data[:1] == b"\x30" else _from_base64(data)
    outer = _children(data, _element(data, 0, len(data)))
    kind = _kind(data, next(outer))
    if kind in (_ENVELOPED, _ENCRYPTED):
        raise EncryptedError("The document is encrypted.")
    if kind != _SIGNED:
        raise CorruptError("The document is damaged: it holds nothing that is signed.")
    signed = next(_children(data, next(outer)))
    for part in _children(data, signed):
        if part.tag == _SEQUENCE:
            return _content(data, part)
    raise CorruptError("The document is damaged: it holds nothing that is signed.")


def entries(path: Path, name: str, budget: Budget) -> Iterator[Entry]:
    """Yield the one document that is signed, under the name without its last suffix."""
    check_text_bytes(path.stat().st_size)
    content = content_of(path.read_bytes())
    inner = PurePath(name).stem if PurePath(name).suffix else ""
    yield Entry(0, inner or "signed", partial(_open, content, budget))


@contextmanager
def _open(content: bytes, budget: Budget) -> Iterator[Readable]:
    yield Counted(BytesIO(content), budget)


@dataclass(frozen=True, slots=True)
class _Element:
    """One value of BER: where its content is, and where the next one begins."""

    tag: int
    start: int
    end: int
    after: int


def _from_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(_ARMOUR.sub(b"", data), validate=False)
    except binascii.Error as exc:
        raise CorruptError("The document is damaged: it is not what its kind looks like.") from exc


def _element(data: bytes, at: int, limit: int, depth: int = 0) -> _Element:
    if at + 2 > limit or depth > _MAX_DEPTH:
        raise _cut_off()
    tag, length, start = data[at], data[at + 1], at + 2
    if length == 0x80:
        return _indefinite(data, tag, start, limit, depth)
    if length > 0x80:
        width = length & 0x7F
        length, start = int.from_bytes(data[start : start + width], "big"), start + width
    if start + length > limit:
        raise _cut_off()
    return _Element(tag, start, start + length, start + length)


def _indefinite(data: bytes, tag: int, start: int, limit: int, depth: int) -> _Element:
    """Find the end of a value that does not say how long it is: two zeros, after whole values."""
    at = start
    while data[at : at + 2] != b"\x00\x00":
        at = _element(data, at, limit, depth + 1).after
    return _Element(tag, start, at, at + 2)


def _children(data: bytes, parent: _Element) -> Iterator[_Element]:
    at = parent.start
    while at < parent.end:
        child = _element(data, at, parent.end)
        yield child
        at = child.after
    # Whoever asks for one more than there is meets a document that breaks off.
    raise _cut_off()


def _kind(data: bytes, name: _Element) -> int:
    value = data[name.start - 2 : name.end]
    return value[-1] if value[:-1] == _PREFIX else 0


def _content(data: bytes, encapsulated: _Element) -> bytes:
    at = _element(data, encapsulated.start, encapsulated.end).after
    if at >= encapsulated.end:
        raise EmptyDocumentError("Only the signature is here, without what it signs.")
    explicit = _element(data, at, encapsulated.end)
    if explicit.tag != _CONTENT:
        raise _cut_off()
    return b"".join(_octets(data, _element(data, explicit.start, explicit.end), 0))


def _octets(data: bytes, element: _Element, depth: int) -> Iterator[bytes]:
    if element.tag == _OCTETS:
        yield data[element.start : element.end]
        return
    if element.tag != _OCTETS_IN_PIECES or depth > _MAX_DEPTH:
        raise _cut_off()
    at = element.start
    while at < element.end:
        piece = _element(data, at, element.end)
        yield from _octets(data, piece, depth + 1)
        at = piece.after


def _cut_off() -> CorruptError:
    return CorruptError("The document is damaged or was cut off.")
