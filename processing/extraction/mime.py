"""The parts of a message in Internet format: which are read with it, which are attached.

Attached is what has a name or says so, also a whole message; a message that stands in
another without that, as in a digest or a report, is read in its place.
"""

import email.policy
import mimetypes
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.feedparser import BytesFeedParser
from email.message import Message
from enum import Enum
from functools import partial
from urllib.parse import unquote, urlsplit

from documents.errors import CorruptError, EncryptedError
from processing.extraction import cms
from processing.extraction.text import clean, decode

ENCRYPTED = "The message is encrypted."
MAX_DEPTH = 20
# A smaller picture that is shown within the text is a logo, a badge or a pixel that counts
# readers; whoever pastes a photograph or a screenshot means it to be seen.
LETTERHEAD_BYTES = 64 * 1024
MAX_NAME_BYTES = 200

_BLOCK_BYTES = 1024**2
_ENVELOPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNATURES = frozenset(
    {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}
)
_SHOWN = re.compile(rb"""cid:([^"'\s<>)]+)""", re.IGNORECASE)
_DRIVE = re.compile(r"^[A-Za-z]:")
# What the default policy raises on headers that are malformed.
_HEADER_ERRORS = (ValueError, IndexError, AttributeError, TypeError, LookupError)
# They would make a name read otherwise than it is.
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Role(Enum):
    """What a part is to the message it stands in."""

    HOLDER = "it holds parts that are read with it"
    TEXT = "it is read"
    ATTACHED = "it is a document of its own"
    MACHINERY = "it is a signature, which nobody reads"


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something attached; `is_letterhead` when it only decorates the message."""

    name: str
    read: Callable[[], bytes]
    is_letterhead: bool = False


def parse(data: bytes) -> Message:
    """Parse a message, also one saved in a wide encoding."""
    if b"\x00" in data[:4096]:
        data = decode(data).lstrip("\ufeff").encode("utf-8", errors="surrogatepass")
    data = data.lstrip(b"\xef\xbb\xbf\r\n")
    # In blocks: as one text it would be in memory four times over.
    parser = BytesFeedParser(policy=email.policy.default)
    for start in range(0, len(data), _BLOCK_BYTES):
        parser.feed(data[start : start + _BLOCK_BYTES])
    return parser.close()


def role_of(part: Message) -> Role:
    """Say what a part is. Raises EncryptedError when it cannot be read without a key."""
    kind = part.get_content_type()
    if kind == "multipart/encrypted":
        raise EncryptedError(ENCRYPTED)
    if kind in _ENVELOPES:
        return Role.HOLDER
    is_attached = bool(filename_of(part)) or part.get_content_disposition() == "attachment"
    if kind == "message/rfc822" and is_attached:
        return Role.ATTACHED
    if part.is_multipart():
        return Role.HOLDER
    if kind in _SIGNATURES:
        return Role.MACHINERY
    is_text = part.get_content_maintype() == "text" and not is_attached
    return Role.TEXT if is_text else Role.ATTACHED


def inner(part: Message) -> list[Message]:
    """Return the parts of a holder."""
    if part.get_content_type() in _ENVELOPES:
        return [parse(_signed(part))]
    payload: object = part.get_payload()
    children = payload if isinstance(payload, list) else []
    if part.get_content_type() == "message/rfc822":
        return [_unpacked(part, child) for child in children]
    return [child for child in children if isinstance(child, Message)]


def attachments(message: Message) -> Iterator[Attachment]:
    """Yield what is attached to a message and to those that are read in their place in it."""
    shown = {unquote(cid.decode("ascii", "ignore")) for cid in _references(message, 0)}
    return _attachments(message, shown, is_related=False, depth=0)


def filename_of(part: Message) -> str:
    """Return the name that a part gives itself, or ""."""
    try:
        return clean(part.get_filename() or "")
    except _HEADER_ERRORS:
        return ""


def header(message: Message, name: str) -> str:
    """Return a header as one line of text, or ""."""
    # The default policy decodes encoded words, and raises on some that are malformed.
    try:
        value = message.get(name)
    except _HEADER_ERRORS:
        raw = (v for k, v in message.raw_items() if k.lower() == name.lower())
        value = str(next(raw, ""))
    return " ".join(clean(str(value)).split()) if value else ""


def safe_name(given: str, otherwise: str) -> str:
    """Return the last part of a name, harmless and not too long; `otherwise` if none is left."""
    name = _DIRECTIONS.sub("", clean(given)).replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = "".join(" " if unicodedata.category(c) in {"Cc", "Cs"} else c for c in name)
    name = " ".join(_DRIVE.sub("", name).split())
    if name in {"", ".", ".."}:
        return otherwise
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > 10:
        stem, dot, suffix = name, "", ""
    most = MAX_NAME_BYTES - len(f"{dot}{suffix}".encode())
    return stem.encode()[:most].decode("utf-8", "ignore").rstrip() + dot + suffix


def name_of_message(subject: str) -> str:
    """Return the name of a message that has none but its subject."""
    words = " ".join(re.sub(r"[/\\\\]", " ", subject).split())
    return safe_name(f"{words}.eml" if words else "", "message.eml")


def check_depth(depth: int) -> None:
    """Raise CorruptError for parts within parts that no program would write."""
    if depth > MAX_DEPTH:
        raise CorruptError("The message is damaged: it holds messages within messages without end.")


def payload_of(part: Message) -> bytes:
    """Return the decoded bytes of a part that holds no others."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attachments(
    part: Message, shown: set[str], *, is_related: bool, depth: int
) -> Iterator[Attachment]:
    check_depth(depth)
    role = role_of(part)
    if role is Role.HOLDER:
        is_related = part.get_content_type() == "multipart/related"
        for child in inner(part):
            yield from _attachments(child, shown, is_related=is_related, depth=depth + 1)
    elif role is Role.ATTACHED:
        is_shown = is_related or header(part, "Content-ID").strip("<>") in shown
        is_small = is_shown and len(payload_of(part)) < LETTERHEAD_BYTES
        is_picture = part.get_content_maintype() == "image"
        # Style sheets and fonts of a saved page have neither a name nor a place in the text.
        is_resource = is_related and not is_picture and not _is_declared(part)
        is_letterhead = (is_picture and is_small) or is_resource
        yield Attachment(_name_of(part), partial(_bytes_of, part), is_letterhead)


def _is_declared(part: Message) -> bool:
    return bool(filename_of(part)) or part.get_content_disposition() == "attachment"


def _references(part: Message, depth: int) -> Iterator[bytes]:
    """Yield the ids of the pictures that the HTML of a message shows."""
    check_depth(depth)
    role = role_of(part)
    if role is Role.HOLDER:
        for child in inner(part):
            yield from _references(child, depth + 1)
    elif role is Role.TEXT and part.get_content_type() == "text/html":
        yield from _SHOWN.findall(payload_of(part))


def _name_of(part: Message) -> str:
    kind = part.get_content_type()
    location = urlsplit(header(part, "Content-Location")).path
    if kind == "message/rfc822":
        subject = next((header(child, "Subject") for child in inner(part)), "")
        return safe_name(filename_of(part), name_of_message(subject))
    suffix = mimetypes.guess_extension(kind) or ""
    return safe_name(filename_of(part) or unquote(location), f"unnamed{suffix}")


def _bytes_of(part: Message) -> bytes:
    if part.get_content_type() != "message/rfc822":
        return payload_of(part)
    # As it stands: folding headers anew would make other bytes of it.
    policy = email.policy.compat32.clone(max_line_length=0, mangle_from_=False)
    return b"".join(child.as_bytes(policy=policy) for child in inner(part))


def _unpacked(part: Message, child: Message) -> Message:
    """Decode a message that was packed as Base64, which RFC 2046 forbids and some do."""
    packing = header(part, "Content-Transfer-Encoding").lower()
    if packing not in ("base64", "quoted-printable") or child.keys():
        return child
    packed: Message = Message()
    packed["Content-Transfer-Encoding"] = packing
    packed.set_payload(child.get_payload())
    return parse(payload_of(packed))


def _signed(part: Message) -> bytes:
    kind = str(part.get_param("smime-type") or "")
    if kind == "enveloped-data":
        raise EncryptedError(ENCRYPTED)
    data = payload_of(part)
    if not kind and not cms.is_cms(data):
        raise EncryptedError(ENCRYPTED)
    try:
        return cms.content_of(data)
    except EncryptedError as exc:
        raise EncryptedError(ENCRYPTED) from exc
