"""Messages that Outlook saved (MS-OXMSG): what they say, and what is attached to them.

A message within has no bytes that could stand alone, since its parts lie strewn over the
storage of the outer one; it is given as a message in Internet format.
"""

import hashlib
import mimetypes
import re
from collections.abc import Iterator
from email.message import EmailMessage, Message
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from documents.errors import EncryptedError
from processing.extraction import cms, mime
from processing.extraction.mime import Attachment, safe_name
from processing.extraction.text import clean, decode

if TYPE_CHECKING:
    from oxmsg import Message as OxMessage
    from oxmsg.attachment import Attachment as OxAttachment
    from oxmsg.properties import Properties
    from oxmsg.storage import Storage

HEADERS = ("From", "To", "Cc", "Bcc", "Date", "Subject")

_PID_HTML = 0x1013  # PidTagBodyHtml as bytes, whose own meta element knows the charset best
_PID_SHORT_NAME, _PID_LONG_NAME, _PID_DISPLAY_NAME = 0x3704, 0x3707, 0x3001
_PID_CONTENT_ID, _PID_TYPE = 0x3712, 0x370E
EMBEDDED = "__substg1.0_3701000D"
# MS-OXMSG 2.4.1.1 and 2.4.1.2: a message within has a shorter header.
_INNER_HEADER_BYTES = 24
_SHOWN = re.compile(r"""cid:([^"'\s<>)]+)""", re.IGNORECASE)
_UNTIDY = re.compile(r"[\r\n]+\s*")


class Letter:
    """A message of Outlook, the outer one or one within."""

    def __init__(self, message: "OxMessage", properties: "Properties") -> None:
        self._message = message
        self._properties = properties

    @classmethod
    def load(cls, path: Path) -> "Letter":
        """Open a message. Raises EncryptedError when it cannot be read without a key."""
        from oxmsg import Message as OxMessage

        message = OxMessage.load(str(path))
        letter = cls(message, message.properties)
        letter.refuse_encrypted()
        return letter

    @classmethod
    def within(cls, storage: "Storage") -> "Letter":
        """Open a message within another."""
        from oxmsg import Message as OxMessage
        from oxmsg.properties import Properties

        properties = Properties(storage, properties_header_offset=_INNER_HEADER_BYTES)
        return cls(OxMessage(storage), properties)

    def refuse_encrypted(self) -> None:
        """Raise EncryptedError unless what it says lies open."""
        if "multipart/encrypted" in self._sent_headers.get("content-type", ""):
            raise EncryptedError(mime.ENCRYPTED)
        if self._is_sealed and self.signed is None:
            raise EncryptedError(mime.ENCRYPTED)

    @cached_property
    def signed(self) -> Message | None:
        """The message that this one holds with a signature, as it was sent."""
        if not self._is_sealed:
            return None
        data = next((data for each in self._attached if (data := each.file_bytes)), b"")
        if not cms.is_cms(data):
            # Signed in the open: then it is the whole message, and not encrypted.
            return mime.parse(data) if b"multipart/signed" in data[:4096].lower() else None
        return mime.parse(cms.content_of(data))

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers it was sent with, and where there are none what Outlook knows."""
        sent = self._properties.date_prop_value(0x0039)
        known = {
            "From": self._sender,
            "To": "; ".join(
                f"{each.name} <{each.email_address}>" for each in self._message.recipients
            ),
            "Date": sent.isoformat(sep=" ", timespec="seconds") if sent else "",
            "Subject": self._text(0x0037),
        }
        found = {name: self._sent_headers.get(name.lower(), "") for name in HEADERS}
        values = {name: given or known.get(name, "") for name, given in found.items()}
        return {name: " ".join(clean(value).split()) for name, value in values.items()}

    @property
    def plain(self) -> str:
        """Its text without marks."""
        return self._text(0x1000)

    @cached_property
    def html(self) -> bytes:
        """Its text as a web page, in the encoding that it names itself; b"" if there is none."""
        found = self._properties.binary_prop_value(_PID_HTML)
        return found or self._text(_PID_HTML).encode()

    def attachments(self) -> Iterator[Attachment]:
        """Yield what is attached, also what is within a signed message."""
        if self.signed is not None:
            yield from mime.attachments(self.signed)
            return
        shown = set(_SHOWN.findall(decode(self.html)))
        for each in self._attached:
            storage = _storage_of(each)
            if storage is not None:
                letter = Letter.within(storage)
                name = mime.name_of_message(letter.headers["Subject"])
                yield Attachment(name, partial(_as_mail, letter))
            elif each.file_bytes is not None:
                is_letterhead = _is_letterhead(each, shown)
                yield Attachment(_name_of(each), partial(_bytes_of, each), is_letterhead)

    @property
    def _attached(self) -> tuple["OxAttachment", ...]:
        return self._message.attachments

    @property
    def _is_sealed(self) -> bool:
        return self._text(0x001A).lower().startswith("ipm.note.smime")

    @cached_property
    def _sent_headers(self) -> dict[str, str]:
        parsed = mime.parse(self._text(0x007D).encode())
        return {name.lower(): mime.header(parsed, name) for name in {*parsed.keys()}}

    @property
    def _sender(self) -> str:
        name = self._text(0x0C1A).strip()
        address = self._text(0x5D01) or self._text(0x0C1F)
        return (f'"{name}" ' if name else "") + f"<{address}>" if address else name

    def _text(self, pid: int) -> str:
        return self._properties.str_prop_value(pid) or ""


def _storage_of(attached: "OxAttachment") -> "Storage | None":
    # Its protocol has no storages within; the class that is there has.
    storages = cast("Storage", attached._storage).storages
    return next((each for each in storages if each.name == EMBEDDED), None)


def _name_of(attached: "OxAttachment") -> str:
    properties = attached.properties
    pids = (_PID_LONG_NAME, _PID_SHORT_NAME, _PID_DISPLAY_NAME)
    given = next((name for pid in pids if (name := properties.str_prop_value(pid))), "")
    return safe_name(given, f"unnamed{mimetypes.guess_extension(_type_of(attached)) or ''}")


def _type_of(attached: "OxAttachment") -> str:
    given = attached.properties.str_prop_value(_PID_TYPE)
    return given or mimetypes.guess_type(attached.file_name or "")[0] or ""


def _is_letterhead(attached: "OxAttachment", shown: set[str]) -> bool:
    content_id = (attached.properties.str_prop_value(_PID_CONTENT_ID) or "").strip("<>")
    is_small = attached.size < mime.LETTERHEAD_BYTES
    return content_id in shown and is_small and _type_of(attached).startswith("image/")


def _bytes_of(attached: "OxAttachment") -> bytes:
    return attached.file_bytes or b""


def _as_mail(letter: Letter) -> bytes:
    """Write a message within as one that can be read alone, with all that is attached to it."""
    letter.refuse_encrypted()
    if letter.signed is not None:
        return letter.signed.as_bytes()
    mail = EmailMessage()
    for name, value in letter.headers.items():
        if value:
            mail[name] = _UNTIDY.sub(" ", value)
    mail.set_content(clean(letter.plain))
    if letter.html:
        mail.add_alternative(clean(decode(letter.html)), subtype="html")
    for attachment in letter.attachments():
        main, _, sub = (mimetypes.guess_type(attachment.name)[0] or "").partition("/")
        is_plain = main not in ("", "message", "multipart")
        mail.add_attachment(
            attachment.read(),
            maintype=main if is_plain else "application",
            subtype=sub if is_plain else "octet-stream",
            filename=attachment.name,
        )
    _fix_boundaries(mail, letter)
    return mail.as_bytes()


def _fix_boundaries(mail: EmailMessage, letter: Letter) -> None:
    """Replace what is random: whoever reads the message again must get the same bytes."""
    said = "\0".join([*letter.headers.values(), letter.plain])
    digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]
    holders = (part for part in mail.walk() if part.is_multipart())
    for number, part in enumerate(holders):
        part.set_boundary(f"{digest}-{number}")
