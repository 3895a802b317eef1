"""What a document is, is decided by its content; its name only tells texts apart."""

import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from processing.extraction import detect, is_supported, media_types
from tests.processing import extraction_samples as samples

MAIL = "From: a@example.org\nTo: b@example.org\nSubject: Hi\nDate: Mon, 1 Jan 2024\n\nBody"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("just a few words", "notes.txt", media_types.TEXT),
        ("just a few words", "notes", media_types.TEXT),
        ("# Title\n\nText", "notes.md", media_types.MARKDOWN),
        ("* Title\n\nText", "notes.org", media_types.ORG),
        ("Title\n=====\n\nText", "notes.rst", media_types.RST),
        ("a,b\n1,2\n", "table.csv", media_types.CSV),
        ("a\tb\n1\t2\n", "table.tsv", media_types.TSV),
        ('{"a": 1}', "data.json", media_types.JSON),
        ('{"a": 1}\n{"a": 2}\n', "data.jsonl", media_types.NDJSON),
        ("def f():\n    return 1\n", "tool.py", "text/x-python"),
        ("key: value\n", "settings.yaml", "application/yaml"),
        ("<!DOCTYPE html><p>Hi</p>", "page.txt", media_types.HTML),
        ("<!-- saved --><html><p>Hi</p></html>", "page", media_types.HTML),
        ("<p>no frame</p>", "page.html", media_types.HTML),
        ('<?xml version="1.0"?><a/>', "feed.rss", media_types.XML),
        ('<?xml version="1.0"?><svg/>', "drawing.xml", media_types.SVG),
        (MAIL, "message.eml", media_types.EML),
        (MAIL, "saved.txt", media_types.EML),
        ("{\\rtf1 Hello}", "letter.doc", media_types.RTF),
        (PNG, "picture.jpg", media_types.PNG),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "photo.jpg", media_types.HEIC),
        ("wide".encode("utf-16"), "wide.txt", media_types.TEXT),
        ("größer als".encode("cp1252"), "old.txt", media_types.TEXT),
        (b"", "nothing.pdf", media_types.EMPTY),
    ],
)
def test_the_content_decides_and_the_suffix_tells_texts_apart(
    tmp_path: Path, content: bytes | str, name: str, expected: str
) -> None:
    path = samples.write(tmp_path / "stored-under-another-name", content)

    assert detect(path, name) == expected


@pytest.mark.parametrize("name", ["noise.pdf", "noise.docx", "noise.txt", "noise.png", "noise"])
def test_random_bytes_are_of_no_known_type_whatever_their_name(tmp_path: Path, name: str) -> None:
    for seed in range(5):
        path = samples.write(tmp_path / "noise", random.Random(seed).randbytes(4000))

        found = detect(path, name)

        assert found == media_types.UNKNOWN
        assert not is_supported(found)


def test_packages_are_told_apart_by_what_is_in_them(tmp_path: Path) -> None:
    made = {
        media_types.DOCX: samples.make_docx(tmp_path / "a"),
        media_types.PPTX: samples.make_pptx(tmp_path / "b"),
        media_types.XLSX: samples.make_xlsx(tmp_path / "c", {"S": [[1]]}),
        media_types.ODT: samples.make_odt(tmp_path / "d", ""),
        media_types.EPUB: samples.make_epub(tmp_path / "e", ["<p>x</p>"]),
        media_types.ZIP: samples.make_zip(tmp_path / "f", {"readme.txt": "x"}),
    }

    found = {expected: detect(path, "misleading.pdf") for expected, path in made.items()}

    assert found == {expected: expected for expected in made}


def test_a_cut_off_package_is_what_its_name_says_so_that_its_reader_can_say_why(
    tmp_path: Path,
) -> None:
    whole = samples.make_docx(tmp_path / "whole.docx").read_bytes()
    path = samples.write(tmp_path / "half", whole[: len(whole) // 2])

    assert detect(path, "half.docx") == media_types.DOCX
    assert detect(path, "half.bin") == media_types.ZIP


def test_a_package_whose_list_of_types_is_garbage_still_has_a_type(tmp_path: Path) -> None:
    whole = samples.make_docx(tmp_path / "whole.docx")
    with zipfile.ZipFile(whole) as package:
        start = package.getinfo("[Content_Types].xml").header_offset
    content = bytearray(whole.read_bytes())
    content[start + 60 : start + 160] = b"\xff" * 100
    path = samples.write(tmp_path / "object", bytes(content))

    assert detect(path, "report.docx") == media_types.DOCX


def test_an_encrypted_package_keeps_the_type_its_name_claims(tmp_path: Path) -> None:
    plain = samples.make_xlsx(tmp_path / "plain.xlsx", {"S": [["secret"]]})
    path = samples.encrypt_office(plain, tmp_path / "locked")

    assert detect(path, "locked.xlsx") == media_types.XLSX


def test_importing_the_package_loads_no_parser() -> None:
    program = (
        "import sys, processing.extraction, processing.extraction.task\n"
        "heavy = {'magika', 'lxml', 'unstructured', 'pypdfium2', 'openpyxl', 'spacy', 'django'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert run.stdout.strip() == "[]", run.stderr
