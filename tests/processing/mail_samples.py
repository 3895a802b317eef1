"""Mails for tests, with what people attach to them."""

from collections.abc import Mapping
from email.message import EmailMessage, Message

PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(60)


def make_message(body: str = "Meet me at the lake.") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ada Reiher <ada@example.org>"
    message["To"] = "Bob <bob@example.org>"
    message["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
    message["Subject"] = "Fischgründe am See"
    message.set_content(body)
    return message


def with_attachments(documents: Mapping[str, bytes | Message]) -> EmailMessage:
    """Return a message with these attached, in their order; a message as it is."""
    message = make_message()
    for name, content in documents.items():
        if isinstance(content, bytes):
            message.add_attachment(
                content, maintype="application", subtype="octet-stream", filename=name
            )
        else:
            message.add_attachment(content)
    return message


def with_logo(logo: bytes, disposition: str = "inline") -> EmailMessage:
    """Return a message whose HTML shows this picture."""
    message = make_message()
    message.add_alternative('<p>Greetings <img src="cid:logo@x"></p>', subtype="html")
    _, html = message.iter_parts()
    assert isinstance(html, EmailMessage)
    html.add_related(
        logo, "image", "png", cid="<logo@x>", filename="logo.png", disposition=disposition
    )
    return message
