"""Read mail: the headers people search by, then the message; attachments by name only.

What is attached is a document of its own, so it is named here and read there.
"""

import email
import email.policy
from email.message import Message
from typing import TYPE_CHECKING

from documents.errors import CorruptError, EncryptedError
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.web import decode_html, write_html
from processing.extraction.source import Source
from processing.extraction.text import clean, decode

if TYPE_CHECKING:
    from oxmsg import Message as OutlookMessage

_HEADERS = ("From", "To", "Cc", "Bcc", "Date", "Subject")
_ENCRYPTED = "The message is encrypted."
_MAX_DEPTH = 20
_PID_HTML = 0x1013  # PidTagBodyHtml as bytes, whose own meta element knows the charset best
# A plain alternative shorter than this part of the HTML one only says "see the HTML version".
_MIN_PLAIN_SHARE = 0.3


def read_eml(source: Source) -> Extraction:
    """Read a message in Internet format (RFC 5322), also one saved in a wide encoding."""
    data = source.read_bytes()
    if b"\x00" in data[:4096]:
        data = decode(data).lstrip("\ufeff").encode("utf-8", errors="surrogatepass")
    message = email.message_from_bytes(
        data.lstrip(b"\xef\xbb\xbf\r\n"), policy=email.policy.default
    )
    attachments: list[str] = []
    writer = PageWriter()
    _write_message(message, writer, attachments)
    return _extraction(writer, _header(message, "Subject"), attachments)


def read_msg(source: Source) -> Extraction:
    """Read a message that Outlook saved."""
    from oxmsg import Message as OutlookMessage

    message = OutlookMessage.load(str(source.path))
    if _is_sealed(message):
        raise EncryptedError(_ENCRYPTED)
    writer = PageWriter()
    _write_headers(_outlook_headers(message), writer)
    writer.add(_outlook_body(message))
    names = [attachment.file_name or "unnamed" for attachment in message.attachments]
    return _extraction(writer, clean(message.subject or ""), names)


def _extraction(writer: PageWriter, title: str, attachments: list[str]) -> Extraction:
    metadata = {"attachments": "; ".join(attachments)} if attachments else {}
    return Extraction(pages=writer.finish(), title=title, metadata=metadata)


def _write_headers(headers: dict[str, str], writer: PageWriter) -> None:
    writer.add("\n".join(f"{name}: {value}" for name, value in headers.items() if value))


def _write_message(
    message: Message, writer: PageWriter, attachments: list[str], depth: int = 0
) -> None:
    headers = {name: _header(message, name) for name in _HEADERS}
    has_header = any(headers.values())
    if not has_header and depth == 0 and not message.keys():
        raise CorruptError("The message is damaged: it has no headers.")
    _write_headers(headers, writer)
    body = "\n\n".join(_bodies(message, attachments, depth))
    writer.add(body)


def _bodies(part: Message, attachments: list[str], depth: int) -> list[str]:
    """Return the texts of a part and of the parts in it, in order."""
    kind = part.get_content_type()
    if depth > _MAX_DEPTH:
        raise CorruptError("The message is damaged: it holds messages within messages without end.")
    if kind == "multipart/encrypted" or _is_enveloped(part):
        raise EncryptedError(_ENCRYPTED)
    if kind == "message/rfc822" and part.is_multipart():
        return _nested(part, attachments, depth)
    if part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        texts = [_bodies(child, attachments, depth + 1) for child in children]
        if kind == "multipart/alternative":
            return _best(children, texts)
        return [text for child in texts for text in child]
    if part.get_filename() or part.get_content_disposition() == "attachment":
        attachments.append(clean(part.get_filename() or "unnamed"))
        return []
    return [_text(part)] if part.get_content_maintype() == "text" else []


def _nested(part: Message, attachments: list[str], depth: int) -> list[str]:
    """Read a forwarded message in place; it has no bytes of its own to be a document."""
    writer = PageWriter()
    for child in part.get_payload():
        if isinstance(child, Message):
            _write_message(child, writer, attachments, depth + 1)
    return [page.text for page in writer.finish()]


def _best(children: list[Message], texts: list[list[str]]) -> list[str]:
    """Choose among alternatives: plain text where it says about as much as the others."""
    plain = [
        t for c, t in zip(children, texts, strict=True) if c.get_content_type() == "text/plain"
    ]
    others = [
        t for c, t in zip(children, texts, strict=True) if c.get_content_type() != "text/plain"
    ]
    richest = max(others, key=_length, default=[])
    simplest = max(plain, key=_length, default=[])
    return simplest if _length(simplest) > _MIN_PLAIN_SHARE * _length(richest) else richest


def _length(texts: list[str]) -> int:
    return sum(len(text.strip()) for text in texts)


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset() or ""
    if part.get_content_type() == "text/html":
        return _html_text(decode(data, charset) if charset else decode_html(data))
    return decode(data, charset)


def _html_text(html: str) -> str:
    writer = PageWriter()
    write_html(html, writer)
    return "\n\n".join(page.text for page in writer.finish())


def _header(message: Message, name: str) -> str:
    # The default policy decodes encoded words, and raises on some that are malformed.
    try:
        value = message.get(name)
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        raw = (v for k, v in message.raw_items() if k.lower() == name.lower())
        value = str(next(raw, ""))
    return " ".join(clean(str(value)).split()) if value else ""


def _is_enveloped(part: Message) -> bool:
    if part.get_content_type() not in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        return False
    return str(part.get_param("smime-type") or "enveloped-data") == "enveloped-data"


def _is_sealed(message: "OutlookMessage") -> bool:
    kind = message.message_class.lower()
    is_smime = kind.startswith("ipm.note.smime") and "multipartsigned" not in kind
    return is_smime or "multipart/encrypted" in _transport_headers(message).get("content-type", "")


def _transport_headers(message: "OutlookMessage") -> dict[str, str]:
    return {name.lower(): str(value) for name, value in message.message_headers.items()}


def _outlook_headers(message: "OutlookMessage") -> dict[str, str]:
    """Return the headers it was sent with, and where there are none what Outlook knows."""
    given = _transport_headers(message)
    sent = message.sent_date
    known = {
        "From": message.sender or "",
        "To": "; ".join(f"{r.name} <{r.email_address}>" for r in message.recipients),
        "Date": sent.isoformat(sep=" ", timespec="seconds") if sent else "",
        "Subject": message.subject or "",
    }
    values = {name: given.get(name.lower()) or known.get(name, "") for name in _HEADERS}
    return {name: " ".join(clean(value).split()) for name, value in values.items()}


def _outlook_body(message: "OutlookMessage") -> str:
    plain = message.body or ""
    if plain.strip():
        return plain
    html = message.properties.binary_prop_value(_PID_HTML)
    return _html_text(decode_html(html) if html else message.html_body or "")
