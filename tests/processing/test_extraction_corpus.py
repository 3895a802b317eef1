"""Real documents of many programs give the text that is in them; hostile ones give a reason.

Run where SLUICE_CORPUS names a folder of such documents.
"""

import os
from pathlib import Path

import pytest

from documents.errors import CorruptError, EncryptedError, PermanentError
from processing.extraction import SUPPORTED, detect, media_types
from tests.processing.extraction_samples import read, text_of

CORPUS = Path(os.environ.get("SLUICE_CORPUS", "/nonexistent"))
GOOD, HOSTILE = CORPUS / "good", CORPUS / "hostile"

pytestmark = pytest.mark.skipif(
    not GOOD.is_dir(), reason="SLUICE_CORPUS names no folder of documents"
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("docx-hdrftr.docx", "Last header para"),
        ("eml/fake-email-utf-16-be.eml", "Subject: Test Email"),
        ("eml/mime-multipart-digest.eml", "This is the second message in the digest."),
        ("eml/mime-word-encoded-subject.eml", "Simple email with ☸☿ Unicode subject"),
        ("example-10k.html", "Galaxy Gaming, Inc."),
        ("factbook-utf-16.xml", "name: Trinidad & Tobado\ncapital: Port of Spain"),
        ("fake-email-with-cc-and-bcc.msg", "Cc: steve@unstructured.io"),
        ("fake-html-cp1252.html", "O João comprou um café por 2,50 €."),
        ("fake-power-point-table.pptx", "Red\tGreen"),
        ("fake-text-utf-32.txt", "Important points"),
        ("fake.doc", "Lorem ipsum dolor sit amet."),
        ("fake.odt", "Leader\tSarah\tMark\tRyan"),
        ("language-docs/eng_spa_mult.ppt", "Testing multiple languages"),
        ("language-docs/eng_spa_mult.rtf", "Todos los seres humanos nacen libres"),
        ("pdf/embedded-images.pdf", "detection area"),
        ("pdf/korean-text-with-tables.pdf", "기준"),
        ("stanley-cups.xlsx", "Team: Maple Leafs; Location: TOR; Stanley Cups: 13"),
        ("tests-example.xls", "Bagpipes are awesome."),
        ("umlauts-non-utf8.md", "äöüß"),
        ("winter-sports.epub", "ski"),
    ],
)
def test_known_words_are_in_the_text(name: str, expected: str) -> None:
    assert expected in text_of(read(GOOD / name))


@pytest.mark.parametrize(
    ("name", "pages", "language"),
    [
        ("language-docs/fr_olap.pdf", 12, "fr"),
        ("pdf/multi-column.pdf", 13, "en"),
        ("sample-presentation.pptx", 4, "en"),
        ("page-breaks.docx", 5, "en"),
        ("winter-sports.epub", 10, "en"),
    ],
)
def test_pages_and_language_are_those_of_the_document(name: str, pages: int, language: str) -> None:
    extraction = read(GOOD / name)

    assert (len(extraction.pages), extraction.language) == (pages, language)


@pytest.mark.parametrize(
    "name",
    [
        "good/fake-encrypted.msg",
        "good/eml/fake-encrypted.eml",
        "good/password_protected.xlsx",
        "good/pdf/password.pdf",
        "hostile/doc/0012-testWORD_protected_passtika.doc",
        "hostile/docx/0016-protected_upper_case.docx",
        "hostile/pdf/0116-testUnicodePassword.pdf",
        "hostile/xls/0136-testEXCEL_protected_passtika.xls",
    ],
)
def test_documents_with_a_password_are_refused_as_encrypted(name: str) -> None:
    with pytest.raises(EncryptedError):
        read(CORPUS / name)


def test_a_pdf_with_broken_structure_is_refused_as_damaged() -> None:
    with pytest.raises(CorruptError):
        read(HOSTILE / "pdf" / "0070-REDHAT-1531897-0.pdf")


def test_every_document_is_read_or_refused_with_a_sentence() -> None:
    documents = [path for path in sorted(CORPUS.rglob("*")) if path.is_file()]
    # The largest add only time here.
    small = [path for path in documents if path.stat().st_size < 1_000_000]

    refused: dict[str, str] = {}
    for path in small:
        try:
            extraction = read(path)
        except PermanentError as error:
            refused[str(path.relative_to(CORPUS))] = error.detail
        else:
            assert "\x00" not in text_of(extraction)

    assert len(small) > 250
    assert all(sentence.endswith(".") and len(sentence) < 120 for sentence in refused.values())
    readable = {name for name in refused if name.startswith("good/") and not _is_expected(name)}
    assert readable == set()


def _is_expected(name: str) -> bool:
    path = CORPUS / name
    needs_a_program = detect(path, path.name) in {
        media_types.DOC,
        media_types.PPT,
        media_types.EMPTY,
    }
    has_no_content = name == "good/eml/empty.eml"
    has_a_password = any(word in name for word in ("password", "encrypted"))
    return needs_a_program or has_a_password or has_no_content


def test_every_supported_type_that_is_here_is_known() -> None:
    found = {detect(path, path.name) for path in GOOD.rglob("*") if path.is_file()}

    assert found <= set(SUPPORTED) | {media_types.EMPTY}
