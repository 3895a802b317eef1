"""Read mail: the headers people search by, then the message, and what is attached by name.

What is attached is a document of its own, so it is named here and read there.
"""

from collections.abc import Iterable
from email.message import Message

from documents.errors import CorruptError, EncryptedError
from processing.extraction import mime
from processing.extraction.mime import Attachment, Role
from processing.extraction.outlook import HEADERS, Letter
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.web import decode_html, write_html
from processing.extraction.source import Source
from processing.extraction.text import clean, decode

# A plain alternative shorter than this part of the HTML one only says "see the HTML version".
_MIN_PLAIN_SHARE = 0.3
_PGP = "-----BEGIN PGP MESSAGE-----"


def read_eml(source: Source) -> Extraction:
    """Read a message in Internet format (RFC 5322)."""
    message = mime.parse(source.read_bytes())
    writer = PageWriter()
    _write_headers(_headers(message), writer)
    if not message.keys():
        raise CorruptError("The message is damaged: it has no headers.")
    writer.add("\n\n".join(_bodies(message, 0)))
    return _extraction(writer, mime.header(message, "Subject"), mime.attachments(message))


def read_msg(source: Source) -> Extraction:
    """Read a message that Outlook saved."""
    letter = Letter.load(source.path)
    writer = PageWriter()
    _write_headers(letter.headers, writer)
    signed = letter.signed
    writer.add("\n\n".join(_bodies(signed, 0)) if signed is not None else _outlook_body(letter))
    return _extraction(writer, letter.headers["Subject"], letter.attachments())


def _extraction(writer: PageWriter, title: str, attached: Iterable[Attachment]) -> Extraction:
    names = "; ".join(each.name for each in attached if not each.is_letterhead)
    writer.add(f"Attachments: {names}" if names else "")
    metadata = {"attachments": names} if names else {}
    return Extraction(pages=writer.finish(), title=title, metadata=metadata)


def _headers(message: Message) -> dict[str, str]:
    return {name: mime.header(message, name) for name in HEADERS}


def _write_headers(headers: dict[str, str], writer: PageWriter) -> None:
    writer.add("\n".join(f"{name}: {value}" for name, value in headers.items() if value))


def _bodies(part: Message, depth: int) -> list[str]:
    """Return the texts of a part and of the parts in it, in order."""
    mime.check_depth(depth)
    role = mime.role_of(part)
    if role is Role.TEXT:
        return [_text(part)]
    if role is not Role.HOLDER:
        return []
    kind = part.get_content_type()
    children = mime.inner(part)
    if kind == "message/delivery-status":
        return ["\n".join(f"{name}: {value}" for name, value in c.raw_items()) for c in children]
    texts = [_bodies(child, depth + 1) for child in children]
    if kind == "message/rfc822":
        # A message that stands in this one has no bytes of its own to be a document.
        return [_with_headers(child, body) for child, body in zip(children, texts, strict=True)]
    if kind == "multipart/alternative":
        return _best(children, texts)
    return [text for child in texts for text in child]


def _with_headers(message: Message, body: list[str]) -> str:
    writer = PageWriter()
    _write_headers(_headers(message), writer)
    writer.add("\n\n".join(body))
    return "\n\n".join(page.text for page in writer.finish())


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
    data = mime.payload_of(part)
    charset = part.get_content_charset() or ""
    if part.get_content_type() == "text/html":
        return _html_text(decode(data, charset) if charset else decode_html(data))
    text = decode(data, charset)
    if text.lstrip().startswith(_PGP):
        raise EncryptedError(mime.ENCRYPTED)
    return text


def _html_text(html: str) -> str:
    writer = PageWriter()
    write_html(html, writer)
    return "\n\n".join(page.text for page in writer.finish())


def _outlook_body(letter: Letter) -> str:
    plain = clean(letter.plain)
    return plain if plain.strip() else _html_text(decode_html(letter.html))
