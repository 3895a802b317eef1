"""PDF text is read by page; what cannot be read is refused with the reason."""

from pathlib import Path

import pytest

from documents.errors import CorruptError, EncryptedError, UnsupportedError
from tests.processing import bombs
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import headings_of, read


def test_a_pdf_is_read_page_by_page_with_its_outline_as_headings(tmp_path: Path) -> None:
    texts = ["Herons in winter", "Eels in spring"]

    extraction = read(samples.make_pdf(tmp_path / "a.pdf", texts, title="Two fishes"))

    assert [(p.number, p.text) for p in extraction.pages] == [(1, texts[0]), (2, texts[1])]
    assert headings_of(extraction) == texts
    assert extraction.title == "Two fishes"
    assert "text" not in extraction.metadata


def test_pages_without_text_are_kept_so_that_numbers_stay_true(tmp_path: Path) -> None:
    extraction = read(samples.make_pdf(tmp_path / "a.pdf", ["one", "", "three"]))

    assert [p.text for p in extraction.pages] == ["one", "", "three"]


def test_a_pdf_without_any_text_says_so(tmp_path: Path) -> None:
    extraction = read(samples.make_pdf(tmp_path / "scan.pdf", ["", ""]))

    assert [p.text for p in extraction.pages] == ["", ""]
    assert extraction.metadata["text"] == "none"


def test_a_pdf_with_a_password_is_refused_as_encrypted(tmp_path: Path) -> None:
    path = samples.make_pdf(tmp_path / "a.pdf", ["secret"], password="letmein")

    with pytest.raises(EncryptedError) as caught:
        read(path)

    assert caught.value.detail == "The PDF is protected by a password."


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.4\n" + b"garbage \xff\xfe\n" * 200])
def test_a_broken_pdf_is_refused_as_damaged(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorruptError) as caught:
        read(samples.write(tmp_path / "a.pdf", content))

    assert caught.value.detail == "The PDF is damaged and cannot be opened."
    assert caught.value.__cause__ is not None


def test_a_pdf_packed_with_brotli_is_refused_and_not_taken_for_an_empty_one(
    tmp_path: Path,
) -> None:
    page = bombs.one_page(b"<</Filter/BrotliDecode/Length 4>>stream\nabcd\nendstream")
    # Nothing is left to say where the pages are when that is packed too.
    structure = (
        b"%PDF-2.0\n1 0 obj\n<</Type/XRef/Filter/BrotliDecode/Length 1>>stream\na\nendstream\n"
    )

    for content in (page, structure):
        with pytest.raises(UnsupportedError, match="packed with Brotli"):
            read(samples.write(tmp_path / "a.pdf", content))


def test_a_pdf_whose_pages_are_all_read_may_have_something_packed_with_brotli(
    tmp_path: Path,
) -> None:
    path = samples.make_pdf(tmp_path / "a.pdf", ["Herons in winter"])
    path.write_bytes(path.read_bytes() + b"% an attachment: /BrotliDecode\n")

    assert read(path).pages[0].text == "Herons in winter"
