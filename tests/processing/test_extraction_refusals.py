"""Hostile and unreadable documents are refused, each with one sentence and one code."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from documents.errors import (
    CorruptError,
    EmptyDocumentError,
    SluiceError,
    TooComplexError,
    UnsupportedError,
)
from processing.extraction import (
    detect,
    extract,
    is_supported,
    limits,
    media_types,
    reading,
    task,
)
from processing.extraction.readers.package import parse_xml
from processing.extraction.source import Source
from tests.processing import bombs
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import read, text_of

BOMB = f'<?xml version="1.0"?>{bombs.BILLION_LAUGHS}'
PACKAGES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "a.docx": ("word/comments.xml", samples.make_docx),
    "a.xlsx": ("xl/comments1.xml", lambda path: samples.make_xlsx(path, {"S": [["x"]]})),
    "a.pptx": ("ppt/slides/slide9.xml", samples.make_pptx),
    "a.odt": ("styles.xml", lambda path: samples.make_odt(path, "<text:p>x</text:p>")),
    "a.epub": ("OPS/text/c9.xhtml", lambda path: samples.make_epub(path, ["<p>x</p>"])),
}
ENCODINGS = ("utf-8", "utf-16", "utf-16-be", "utf-32")


def test_an_empty_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocumentError, match=r"^The document is empty\.$"):
        read(samples.write(tmp_path / "a.pdf", b""))


@pytest.mark.parametrize(
    ("media_type", "sentence"),
    [
        ("application/zip", "Documents of the type application/zip cannot be read."),
        (media_types.UNKNOWN, "The content of this document is of no known kind."),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    tmp_path: Path, media_type: str, sentence: str
) -> None:
    path = samples.write(tmp_path / "a", b"x")

    with pytest.raises(UnsupportedError) as caught:
        extract(path, media_type, "a")

    assert caught.value.detail == sentence


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_of_xml_are_not_expanded(tmp_path: Path, encoding: str) -> None:
    xml = bombs.laughing("<x>before<b>bold</b> &l9; after</x>", encoding=encoding)
    path = samples.write(tmp_path / "a.xml", xml)

    text = text_of(read(path))

    assert "before" in text
    assert len(text) < 100


def test_a_drawing_in_svg_is_not_read_at_all(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.svg", bombs.laughing("<svg><text>&l9;</text></svg>"))

    assert detect(path, path.name) == media_types.SVG
    assert not is_supported(media_types.SVG)


def test_xml_reads_no_other_file(tmp_path: Path) -> None:
    secret = samples.write(tmp_path / "secret.txt", "the secret words")
    path = samples.write(
        tmp_path / "a.xml",
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY s SYSTEM "file://{secret}">]>'
        "<x><a>&s;</a><b>seen</b></x>",
    )

    text = text_of(read(path))

    assert "secret words" not in text
    assert "seen" in text


@pytest.mark.parametrize(
    "make",
    [
        lambda path: samples.add_entry(samples.make_docx(path), "word/comments.xml", BOMB + "<x/>"),
        lambda path: samples.make_zip(
            path, {"word/document.xml": b"<a/>", "../../etc/passwd": b"root"}
        ),
        lambda path: samples.make_zip(path, {"word/document.xml": b"<a/>", "/etc/x": b"root"}),
        lambda path: samples.make_zip(path, {"word/document.xml": bytes(64 * 1024**2)}),
    ],
    ids=["entities", "parent", "absolute", "ratio"],
)
def test_hostile_packages_are_refused_before_a_parser_sees_them(
    tmp_path: Path, make: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "a.docx")
    monkeypatch.setattr("processing.extraction.readers.word.parse_xml", _must_not_be_called)

    with pytest.raises(TooComplexError):
        read(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", PACKAGES)
def test_entities_in_a_part_of_a_package_are_refused_in_any_encoding(
    tmp_path: Path, name: str, encoding: str
) -> None:
    part, make = PACKAGES[name]
    path = make(tmp_path / name)
    samples.add_entry(path, part, bombs.laughing("<x>&l9;</x>", encoding=encoding))

    with pytest.raises(TooComplexError, match="defines XML entities"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_entities_are_found_where_two_blocks_meet(tmp_path: Path, encoding: str) -> None:
    definition = "<!ENTITY".encode(encoding)
    for at in range(1, len(definition)):
        path = samples.make_docx(tmp_path / f"{at}.docx")
        samples.add_entry(path, "word/more.xml", b" " * (1024**2 - at) + definition)

        with pytest.raises(TooComplexError, match="defines XML entities"):
            read(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_parser_that_meets_entities_all_the_same_expands_none(encoding: str) -> None:
    with pytest.raises(CorruptError):
        parse_xml(bombs.laughing("<x>&l9;</x>", encoding=encoding))


def test_a_package_of_too_many_parts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_ENTRIES", 10)
    path = samples.make_zip(tmp_path / "a.docx", {f"word/{n}.xml": "<a/>" for n in range(11)})

    with pytest.raises(TooComplexError, match="11 parts; the limit is 10"):
        read(path)


def test_a_package_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_INFLATED_BYTES", 3 * 1024**2)
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as package:
        for number in range(4):
            package.writestr(f"word/{number}.bin", bytes(1024**2))

    with pytest.raises(TooComplexError, match="more than 3 MiB"):
        read(path)


def test_records_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.json", "[" * 200_000)

    with pytest.raises(TooComplexError, match="too deeply"):
        read(path)


def test_more_text_than_is_kept_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_TEXT_CHARACTERS", 100)
    path = samples.write(tmp_path / "a.txt", "word " * 50)

    with pytest.raises(TooComplexError, match="more than 100 characters"):
        read(path)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (KeyError("some part"), CorruptError),
        (RecursionError(), TooComplexError),
        (OSError(22, "bad seek"), CorruptError),
        (OSError(28, "No space left on device"), OSError),
        (MemoryError(), MemoryError),
    ],
)
def test_what_a_parser_raises_becomes_our_sentence_unless_the_machine_is_to_blame(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    expected: type[Exception],
) -> None:
    def fail(source: Source) -> None:
        raise raised

    monkeypatch.setattr(reading, "SUPPORTED", {media_types.TEXT: fail})
    path = samples.write(tmp_path / "a.txt", "text")

    with pytest.raises(expected) as caught:
        extract(path, media_types.TEXT, "a.txt")

    if isinstance(caught.value, SluiceError):
        assert caught.value.__cause__ is raised
        assert caught.value.detail.startswith("The document is ")
        assert str(raised) not in caught.value.detail or not str(raised)


def test_the_task_speaks_plain_json_both_ways(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.md", "# Title\n\nText")

    kind = task.detect_type(str(path), "a.md")
    answer = task.read(str(path), "a.md", kind["media_type"])

    assert kind == {"media_type": "text/markdown", "is_supported": True}
    assert json.loads(json.dumps(answer)) == answer
    assert answer["pages"][0]["headings"] == [{"offset": 0, "text": "Title"}]


def test_a_missing_file_is_not_taken_for_a_damaged_document(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        detect(tmp_path / "gone", "gone.txt")
    with pytest.raises(FileNotFoundError):
        extract(tmp_path / "gone", media_types.TEXT, "gone.txt")


def _must_not_be_called(data: bytes) -> None:
    raise AssertionError("the parser saw a package that should have been refused")
