"""Office documents give all their text: also what stands in boxes, notes and insertions."""

import datetime
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from documents.errors import CorruptError, EncryptedError, UnsupportedError
from processing.extraction import extract, media_types
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import headings_of, read, text_of


def test_a_word_document_gives_text_tables_and_what_stands_beside_them(tmp_path: Path) -> None:
    extraction = read(samples.make_docx(tmp_path / "a.docx"))

    first, second = (page.text for page in extraction.pages)
    assert first == (
        "Herons in winter\n\nThey stand in cold water.\nfirst entry\n\n"
        "Bird\tCount\nBird: Grey heron; Count: 12\nBird: Egret; Count: 7\n\n"
        "Inside a control\n\nInserted later\n\nBoxed words"
    )
    assert second == (
        "Second page\n\nSpring comes late.\n\nSee appendix nine\n\nRunning head\n\n"
        "Title: Report on herons\nAuthor: Ada Reiher"
    )
    assert headings_of(extraction) == ["Herons in winter", "Second page"]
    assert extraction.title == "Report on herons"
    assert extraction.metadata["author"] == "Ada Reiher"
    assert extraction.language == "en"


def test_a_presentation_has_a_page_per_slide_with_charts_and_notes(tmp_path: Path) -> None:
    extraction = read(samples.make_pptx(tmp_path / "a.pptx"))

    first, second = (page.text for page in extraction.pages)
    assert first == "Quarterly review\n\nRevenue rose\n\nCosts fell\n\nPause here for questions"
    assert "Grouped remark" in second
    assert "East\t1.5" in second
    assert headings_of(extraction)[0] == "Quarterly review"
    assert extraction.title == "Quarterly review"


def test_a_workbook_has_a_page_per_sheet_and_a_line_per_row(tmp_path: Path) -> None:
    day = datetime.date(2024, 5, 17)
    sheets: dict[str, list[list[object]]] = {
        "Prices": [["Article", "Price", "Since"], ["Fish", 12.5, day], ["Eel", 3.0, None]],
        "Notes": [["Call the smokehouse"]],
    }

    extraction = read(samples.make_xlsx(tmp_path / "a.xlsx", sheets))

    assert [page.text for page in extraction.pages] == [
        "Prices\n\nArticle\tPrice\tSince\n"
        "Article: Fish; Price: 12.5; Since: 2024-05-17\nArticle: Eel; Price: 3",
        "Notes\n\nCall the smokehouse",
    ]
    assert headings_of(extraction) == ["Prices", "Notes"]


def test_an_open_document_has_headings_tables_and_page_ends(tmp_path: Path) -> None:
    body = (
        "<text:h>Agenda</text:h><text:p>Point  one<text:s text:c='2'/>and<text:tab/>two</text:p>"
        "<text:list><text:list-item><text:p>entry</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
        "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>"
        "<text:soft-page-break/><text:p>Next page</text:p>"
    )

    extraction = read(samples.make_odt(tmp_path / "a.odt", body))

    assert [p.text for p in extraction.pages] == [
        "Agenda\n\nPoint one  and\ttwo\nentry\n\na\tb",
        "Next page\n\nTitle: Minutes",
    ]
    assert extraction.title == "Minutes"
    assert headings_of(extraction) == ["Agenda"]


def test_rich_text_is_read(tmp_path: Path) -> None:
    rtf = r"{\rtf1\ansi\ansicpg1252 Die Gr\'f6\'dfe z\'e4hlt.\par Second paragraph.\par}"

    extraction = read(samples.write(tmp_path / "a.rtf", rtf))

    assert text_of(extraction) == "Die Größe zählt.\n\nSecond paragraph."


@pytest.mark.parametrize("kind", ["docx", "xlsx"])
def test_an_office_document_with_a_password_is_refused_as_encrypted(
    tmp_path: Path, kind: str
) -> None:
    plain = tmp_path / f"plain.{kind}"
    if kind == "docx":
        samples.make_docx(plain)
    else:
        samples.make_xlsx(plain, {"S": [["secret"]]})
    locked = samples.encrypt_office(plain, tmp_path / f"locked.{kind}")

    with pytest.raises(EncryptedError, match=r"^The document is protected by a password\.$"):
        read(locked)


def test_an_open_document_with_a_password_is_refused_as_encrypted(tmp_path: Path) -> None:
    manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>"
    path = samples.make_odt(tmp_path / "a.odt", "garbage", manifest=manifest)

    with pytest.raises(EncryptedError):
        read(path)


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx", "odt", "epub"])
def test_a_cut_off_package_is_refused_as_damaged(tmp_path: Path, kind: str) -> None:
    makers: dict[str, Callable[[Path], Path]] = {
        "docx": samples.make_docx,
        "pptx": samples.make_pptx,
        "xlsx": lambda path: samples.make_xlsx(path, {"S": [["x"]]}),
        "odt": lambda path: samples.make_odt(path, "<text:p>x</text:p>"),
        "epub": lambda path: samples.make_epub(path, ["<p>x</p>"]),
    }
    whole = makers[kind](tmp_path / "whole").read_bytes()
    path = samples.write(tmp_path / f"half.{kind}", whole[: len(whole) // 2])

    with pytest.raises(CorruptError, match="damaged") as caught:
        read(path)

    assert "Error" not in caught.value.detail
    assert caught.value.__cause__ is not None


def test_a_package_without_its_main_part_is_refused_as_damaged(tmp_path: Path) -> None:
    path = samples.make_zip(tmp_path / "a.docx", {"word/other.xml": "<a/>"})

    with pytest.raises(CorruptError, match="a part of it is missing"):
        read(path)


@pytest.fixture
def path_without_libreoffice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("media_type", "kind"), [(media_types.DOC, "doc"), (media_types.PPT, "ppt")]
)
def test_old_formats_name_the_program_that_is_missing(
    tmp_path: Path, path_without_libreoffice: Path, media_type: str, kind: str
) -> None:
    path = samples.write(tmp_path / f"old.{kind}", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))

    with pytest.raises(UnsupportedError) as caught:
        extract(path, media_type, path.name)

    assert caught.value.detail == (
        f"Reading .{kind} files needs LibreOffice, which is not installed here."
    )


def test_old_word_documents_are_converted_where_libreoffice_is_installed(
    tmp_path: Path, path_without_libreoffice: Path
) -> None:
    ready = samples.make_docx(tmp_path / "ready.docx")
    _install_soffice(path_without_libreoffice, f'cp "{ready}" "$outdir/original.docx"')
    path = samples.write(tmp_path / "old.doc", "old bytes")

    extraction = extract(path, media_types.DOC, "old.doc")

    assert "They stand in cold water." in text_of(extraction)


def test_a_document_libreoffice_cannot_read_is_refused_as_damaged(
    tmp_path: Path, path_without_libreoffice: Path
) -> None:
    _install_soffice(path_without_libreoffice, "exit 0")
    path = samples.write(tmp_path / "old.doc", "old bytes")

    with pytest.raises(CorruptError, match=r"LibreOffice could not read this \.doc file"):
        extract(path, media_types.DOC, "old.doc")


def _install_soffice(folder: Path, action: str) -> None:
    """Put a program on PATH that takes LibreOffice's arguments and does `action`."""
    script = folder / "soffice"
    copy = shutil.which("cp", path=os.defpath) or "/bin/cp"
    action = action.replace("cp ", f"{copy} ", 1)
    script.write_text(
        "#!/bin/sh\n"
        'while [ "$#" -gt 0 ]; do [ "$1" = --outdir ] && outdir="$2"; shift; done\n'
        f"{action}\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
