"""Mail is read with the headers people search by; attachments are named, not read."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from documents.errors import CorruptError, EncryptedError
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import read, text_of


def make_message(body: str = "Meet me at the lake.") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ada Reiher <ada@example.org>"
    message["To"] = "Bob <bob@example.org>"
    message["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
    message["Subject"] = "Fischgründe am See"
    message.set_content(body)
    return message


def save(tmp_path: Path, message: EmailMessage) -> Path:
    return samples.write(tmp_path / "a.eml", message.as_bytes())


def test_headers_and_body_are_text_and_the_subject_is_the_title(tmp_path: Path) -> None:
    extraction = read(save(tmp_path, make_message()))

    assert text_of(extraction) == (
        "From: Ada Reiher <ada@example.org>\nTo: Bob <bob@example.org>\n"
        "Date: Mon, 01 Jan 2024 10:00:00 +0000\nSubject: Fischgründe am See\n\n"
        "Meet me at the lake."
    )
    assert extraction.title == "Fischgründe am See"


def test_attachments_are_named_and_not_read(tmp_path: Path) -> None:
    message = make_message()
    message.add_attachment("inside the attachment", filename="plan.txt")
    message.add_attachment(b"\x00", maintype="image", subtype="png", filename="map.png")

    extraction = read(save(tmp_path, message))

    assert extraction.metadata["attachments"] == "plan.txt; map.png"
    assert "inside the attachment" not in text_of(extraction)


def test_plain_text_is_preferred_to_html_that_says_the_same(tmp_path: Path) -> None:
    message = make_message("The plain words.")
    message.add_alternative("<p>The <b>html</b> words.</p>", subtype="html")

    assert text_of(read(save(tmp_path, message))).endswith("\n\nThe plain words.")


def test_html_is_read_where_the_plain_part_says_nothing(tmp_path: Path) -> None:
    message = make_message("See HTML.")
    message.add_alternative("<h1>News</h1><p>" + "Real content. " * 20 + "</p>", subtype="html")

    assert "News\n\nReal content." in text_of(read(save(tmp_path, message)))


def test_a_forwarded_message_is_read_in_place(tmp_path: Path) -> None:
    message = make_message()
    message.add_attachment(make_message("Words of the inner message."))

    text = text_of(read(save(tmp_path, message)))

    assert text.count("Subject: Fischgründe am See") == 2
    assert "Words of the inner message." in text


def test_a_message_in_an_unknown_charset_is_still_read(tmp_path: Path) -> None:
    raw = (
        b"From: a@example.org\nTo: b@example.org\nSubject: =?x-unknown?B?YWJj?=\n"
        b"Date: nonsense\nContent-Type: text/plain; charset=x-unknown\n\nGr\xfc\xdfe"
    )

    assert text_of(read(samples.write(tmp_path / "a.eml", raw))).endswith("Grüße")


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/encrypted; boundary="b"; protocol="application/pgp-encrypted"',
        "application/pkcs7-mime; smime-type=enveloped-data",
    ],
)
def test_an_encrypted_message_is_refused_as_encrypted(tmp_path: Path, kind: str) -> None:
    raw = f"From: a@example.org\nTo: b@example.org\nContent-Type: {kind}\n\n--b\n\nx\n--b--\n"

    with pytest.raises(EncryptedError, match=r"^The message is encrypted\.$"):
        read(samples.write(tmp_path / "a.eml", raw))


def test_mail_without_any_header_is_refused_as_damaged(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="no headers"):
        read(samples.write(tmp_path / "a.eml", "\n\nno header at all"))


def test_messages_nested_without_end_are_refused(tmp_path: Path) -> None:
    raw = "".join(f"Content-Type: message/rfc822\nSubject: {n}\n\n" for n in range(60))

    with pytest.raises(CorruptError, match="without end"):
        read(samples.write(tmp_path / "a.eml", raw + "\nend"))
