"""Mail is read with the headers people search by; attachments are named, and listed to be taken."""

import base64
import dataclasses
import shutil
import struct
import subprocess
from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import parseaddr
from pathlib import Path

import pytest
from oxmsg.domain.constants import PTYP_BINARY, PTYP_STRING
from oxmsg.storage import Storage, Stream

from documents.errors import CorruptError, EmptyDocumentError, EncryptedError
from processing.extraction import detect, media_types, mime
from processing.extraction.entries import Allowed
from processing.extraction.members import Contents, list_members, unpack
from processing.extraction.mime import LETTERHEAD_BYTES, safe_name
from processing.extraction.outlook import EMBEDDED, Letter
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import read, text_of
from tests.processing.mail_samples import PIXEL, make_message, with_attachments, with_logo

ALLOWED = Allowed(entries=100, total_bytes=10**7, member_bytes=10**6, ratio=100)


needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="OpenSSL makes the samples and is not installed"
)


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


def attached(path: Path, allowed: Allowed = ALLOWED) -> Contents:
    return list_members(path, detect(path, path.name), allowed, path.name)


def names(contents: Contents) -> list[str]:
    return [member.path for member in contents.members]


def test_attachments_are_named_and_not_read(tmp_path: Path) -> None:
    message = make_message()
    message.add_attachment("inside the attachment", filename="plan.txt")
    message.add_attachment(b"\x00", maintype="image", subtype="png", filename="map.png")

    extraction = read(save(tmp_path, message))

    assert extraction.metadata["attachments"] == "plan.txt; map.png"
    assert text_of(extraction).endswith("Attachments: plan.txt; map.png")
    assert "inside the attachment" not in text_of(extraction)


def test_plain_text_is_preferred_to_html_that_says_the_same(tmp_path: Path) -> None:
    message = make_message("The plain words.")
    message.add_alternative("<p>The <b>html</b> words.</p>", subtype="html")

    assert text_of(read(save(tmp_path, message))).endswith("\n\nThe plain words.")


def test_html_is_read_where_the_plain_part_says_nothing(tmp_path: Path) -> None:
    message = make_message("See HTML.")
    message.add_alternative("<h1>News</h1><p>" + "Real content. " * 20 + "</p>", subtype="html")

    assert "News\n\nReal content." in text_of(read(save(tmp_path, message)))


def test_a_message_that_stands_in_another_is_read_in_place_with_what_it_attaches(
    tmp_path: Path,
) -> None:
    outer = MIMEMultipart("mixed")
    outer["From"], outer["Subject"] = "postmaster@example.org", "Undelivered"
    outer.attach(MIMEText("It came back."))
    outer.attach(MIMEMessage(with_attachments({"plan.txt": b"inside"})))
    path = samples.write(tmp_path / "a.eml", outer.as_bytes())

    text = text_of(read(path))

    assert "Subject: Fischgründe am See\n\nMeet me at the lake." in text
    assert names(attached(path)) == ["plan.txt"]


def test_a_message_that_is_attached_is_a_document_with_the_bytes_it_has(tmp_path: Path) -> None:
    inner = with_attachments({"deep.txt": b"deep"})
    path = save(tmp_path, with_attachments({"": inner}))

    assert "deep" not in text_of(read(path))
    contents = attached(path)
    (member,) = contents.members
    unpack(path, media_types.EML, {0: member.size}, tmp_path, ALLOWED)

    assert member.path == "Fischgründe am See.eml"
    assert (tmp_path / "0").read_bytes() == inner.as_bytes()


def test_an_attached_message_packed_as_base64_is_unpacked(tmp_path: Path) -> None:
    content = (
        "From: ada@example.org\nSubject: Forwarded\n"
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\n'
        'Content-Type: message/rfc822; name="inner.eml"\nContent-Transfer-Encoding: base64\n\n'
        f"{base64.encodebytes(make_message().as_bytes()).decode()}\n--b--\n"
    )
    path = samples.write(tmp_path / "a.eml", content)
    (member,) = attached(path).members

    unpack(path, media_types.EML, {0: member.size}, tmp_path, ALLOWED)

    assert (tmp_path / "0").read_bytes() == make_message().as_bytes()


@pytest.mark.parametrize("disposition", ["inline", "attachment"])
def test_a_small_picture_within_the_text_is_left_out_and_counted(
    tmp_path: Path, disposition: str
) -> None:
    path = save(tmp_path, with_logo(PIXEL, disposition))

    contents = attached(path)

    assert (contents.members, contents.left_out) == ([], 1)
    assert "logo.png" not in text_of(read(path))


def test_a_large_picture_within_the_text_is_a_document(tmp_path: Path) -> None:
    path = save(tmp_path, with_logo(PIXEL + bytes(LETTERHEAD_BYTES)))

    assert names(attached(path)) == ["logo.png"]


def test_a_small_picture_that_is_attached_is_a_document(tmp_path: Path) -> None:
    message = make_message()
    message.add_attachment(PIXEL, maintype="image", subtype="png", filename="dot.png")

    assert names(attached(save(tmp_path, message))) == ["dot.png"]


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\plan.txt", "plan.txt"),
        ("c:plan.txt", "plan.txt"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("a\x00b\r\n.txt", "ab.txt"),
        ("invoice\u202etxt.exe", "invoicetxt.exe"),
        ("ä" * 300 + ".pdf", "ä" * 98 + ".pdf"),
    ],
)
def test_names_of_attachments_are_made_safe(given: str, safe: str) -> None:
    assert safe_name(given, "unnamed") == safe


def test_an_attachment_beyond_the_size_limit_is_refused_alone(tmp_path: Path) -> None:
    path = save(tmp_path, with_attachments({"large.bin": bytes(101), "small.bin": b"small"}))

    contents = attached(path, Allowed(entries=9, total_bytes=10**6, member_bytes=100, ratio=9))

    assert names(contents) == ["small.bin"]
    assert contents.refused[0].path == "large.bin"


def test_what_is_signed_in_the_open_is_read_without_its_signature(tmp_path: Path) -> None:
    outer = MIMEMultipart("signed", protocol="application/pkcs7-signature")
    outer["From"], outer["Subject"] = "ada@example.org", "Signed"
    outer.attach(with_attachments({"plan.txt": b"inside"}))
    signature = MIMEBase("application", "pkcs7-signature", name="smime.p7s")
    outer.attach(signature)
    path = samples.write(tmp_path / "a.eml", outer.as_bytes())

    assert "Meet me at the lake." in text_of(read(path))
    assert names(attached(path)) == ["plan.txt"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate of its own, made by OpenSSL."""
    folder = tmp_path_factory.mktemp("certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=Ada",
        "-keyout",
        key,
        "-out",
        cert,
    )
    return key, cert


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@needs_openssl
def test_what_is_signed_opaquely_is_read_with_its_attachments(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    key, cert = certificate
    inner = samples.write(tmp_path / "inner", with_attachments({"plan.txt": b"inside"}).as_bytes())
    path = tmp_path / "a.eml"
    head = ("-from", "ada@example.org", "-to", "bob@example.org", "-subject", "Signed")
    sign = ("-sign", "-nodetach", "-signer", cert, "-inkey", key)
    openssl("smime", *sign, *head, "-in", inner, "-out", path)

    assert "Meet me at the lake." in text_of(read(path))
    assert names(attached(path)) == ["plan.txt"]


@needs_openssl
@pytest.mark.parametrize("form", ["DER", "PEM"])
@pytest.mark.parametrize("streamed", [(), ("-stream",)])
def test_a_signed_document_gives_what_is_signed(
    tmp_path: Path, certificate: tuple[Path, Path], form: str, streamed: tuple[str, ...]
) -> None:
    key, cert = certificate
    content = bytes(range(256)) * 5000
    inner = samples.write(tmp_path / "inner", content)
    path = tmp_path / "scan.bin.p7m"
    sign: list[str | Path] = ["-sign", "-nodetach", "-binary", *streamed]
    sign += ["-signer", cert, "-inkey", key]
    openssl("cms", *sign, "-in", inner, "-outform", form, "-out", path)
    (member,) = attached(path, Allowed(9, 10**8, 10**8, 9)).members

    unpack(path, media_types.CMS, {0: member.size}, tmp_path, Allowed(9, 10**8, 10**8, 9))

    assert detect(path, path.name) == media_types.CMS
    assert member.path == "scan.bin"
    assert (tmp_path / "0").read_bytes() == content


@needs_openssl
def test_a_document_in_an_envelope_is_refused_as_encrypted(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    inner = samples.write(tmp_path / "inner", "secret")
    path = tmp_path / "a.p7m"
    openssl("cms", "-encrypt", "-in", inner, "-outform", "DER", "-out", path, certificate[1])

    with pytest.raises(EncryptedError, match=r"^The document is encrypted\.$"):
        attached(path)


@needs_openssl
def test_a_signature_without_what_it_signs_is_refused_as_empty(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    key, cert = certificate
    inner = samples.write(tmp_path / "inner", "words")
    path = tmp_path / "a.p7s"
    openssl(
        "cms",
        "-sign",
        "-signer",
        cert,
        "-inkey",
        key,
        "-in",
        inner,
        "-outform",
        "DER",
        "-out",
        path,
    )

    with pytest.raises(EmptyDocumentError, match="Only the signature is here"):
        attached(path)


@needs_openssl
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9])
def test_a_signed_document_that_was_cut_off_is_refused_as_damaged(
    tmp_path: Path, certificate: tuple[Path, Path], share: float
) -> None:
    key, cert = certificate
    inner = samples.write(tmp_path / "inner", bytes(5000))
    whole, path = tmp_path / "whole.p7m", tmp_path / "half.p7m"
    sign = ("-sign", "-nodetach", "-binary", "-stream", "-signer", cert, "-inkey", key)
    openssl("cms", *sign, "-in", inner, "-outform", "DER", "-out", whole)
    content = whole.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(CorruptError):
        list_members(path, media_types.CMS, ALLOWED, path.name)


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


def outlook_storage(path: str, header_bytes: int, values: dict[int, str | bytes]) -> Storage:
    """Return a storage of Outlook with these properties, as its file would hold them."""
    table, streams = bytes(header_bytes), []
    for pid, value in values.items():
        kind = PTYP_BINARY if isinstance(value, bytes) else PTYP_STRING
        raw = value if isinstance(value, bytes) else value.encode("utf-16-le")
        table += struct.pack("<HHIII", kind, pid, 6, len(raw), 0)
        streams.append(Stream(f"{path}/__substg1.0_{pid:04X}{kind:04X}", raw))
    return Storage(path, (Stream(f"{path}/__properties_version1.0", table), *streams), ())


def test_a_message_within_one_of_outlook_becomes_internet_mail_with_its_attachments() -> None:
    plan = outlook_storage("a/__attach_version1.0_#00000000", 8, {0x3707: "plan.txt", 0x3701: b"x"})
    inner = outlook_storage(
        f"a/{EMBEDDED}",
        24,
        {0x0037: "Within: a/b", 0x1000: "Words within.", 0x0C1A: "Ada", 0x0C1F: "ada@example.org"},
    )
    inner = dataclasses.replace(inner, storages=(plan,))
    holder = outlook_storage("b/__attach_version1.0_#00000000", 8, {0x3001: "Within"})
    holder = dataclasses.replace(holder, storages=(inner,))
    outer = outlook_storage("c", 24, {0x0037: "Outer"})
    letter = Letter.within(dataclasses.replace(outer, storages=(holder,)))

    (attachment,) = letter.attachments()
    mail = mime.parse(attachment.read())

    assert attachment.read() == attachment.read()
    assert attachment.name == "Within: a b.eml"
    # Whether the name is shown in quotes differs between releases of Python.
    assert parseaddr(str(mail["From"])) == ("Ada", "ada@example.org")
    assert "Words within." in str(mail)
    assert [(each.name, each.read()) for each in mime.attachments(mail)] == [("plan.txt", b"x")]


def test_a_message_in_pgp_armour_is_refused_as_encrypted(tmp_path: Path) -> None:
    body = "-----BEGIN PGP MESSAGE-----\n\nhQEMA1\n-----END PGP MESSAGE-----"

    with pytest.raises(EncryptedError, match=r"^The message is encrypted\.$"):
        read(save(tmp_path, make_message(body)))


def test_mail_without_any_header_is_refused_as_damaged(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="no headers"):
        read(samples.write(tmp_path / "a.eml", "\n\nno header at all"))


def test_messages_nested_without_end_are_refused(tmp_path: Path) -> None:
    raw = "".join(f"Content-Type: message/rfc822\nSubject: {n}\n\n" for n in range(60))

    with pytest.raises(CorruptError, match="without end"):
        read(samples.write(tmp_path / "a.eml", raw + "\nend"))
