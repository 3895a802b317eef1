"""Text, tables and records are read in any encoding and kept findable."""

import json
import unicodedata
from pathlib import Path

import pytest

from processing.extraction import Extraction, Heading, Page
from processing.extraction.pages import MAX_PAGE_CHARACTERS
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import headings_of, read, text_of

GERMAN = "Übermäßig große Bäume stehen schräg über dem Flüßchen."
RUSSIAN = "Привет, мир. Это довольно длинный текст на русском языке."
JAPANESE = "日本語のテキストです。これは文字コードの判定のための文章です。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-32"),
        (GERMAN, "cp1252"),
        ("naïve café, 5 €", "cp1252"),
        ("Zażółć gęślą jaźń, to jest polski tekst", "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
    ],
)
def test_text_is_decoded_whatever_its_encoding(tmp_path: Path, text: str, encoding: str) -> None:
    path = samples.write(tmp_path / "note.txt", text.encode(encoding))

    assert text_of(read(path)) == text


def test_text_is_stored_without_what_postgres_refuses_and_in_one_form(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Ärger")
    raw = f"{decomposed}\r\nNUL \x00 and bell \x07\rnext\u2028line\u00a0end soft\u00adhyphen"
    path = samples.write(tmp_path / "note.txt", raw)

    assert text_of(read(path)) == "Ärger\nNUL  and bell \nnext\nline end softhyphen"


def test_lone_surrogates_in_json_do_not_reach_the_text(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.json", '{"name": "half \\ud83d pair", "nul": "a\\u0000b"}')

    assert text_of(read(path)) == "name: half  pair\nnul: ab"


def test_form_feeds_end_pages(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "print.txt", "one\ftwo\fthree\f")

    assert [(p.number, p.text) for p in read(path).pages] == [(1, "one"), (2, "two"), (3, "three")]


def test_a_very_long_text_is_cut_to_pages_at_line_ends(tmp_path: Path) -> None:
    lines = [f"line number {number} of a long log" for number in range(10_000)]
    path = samples.write(tmp_path / "big.log", "\n".join(lines))

    pages = read(path).pages

    assert len(pages) > 2
    assert max(len(page.text) for page in pages) <= MAX_PAGE_CHARACTERS + 100
    assert "\n".join(page.text for page in pages) == "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.md", "# One\ntext\n\nTwo\n---\n```\n# no heading\n```\n## Three ##\n", "One Two Three"),
        ("a.rst", "One\n===\n\ntext\n\nTwo\n~~~\n", "One Two"),
        ("a.org", "#+TITLE: T\n* One\ntext\n** Two\n", "One Two"),
    ],
)
def test_headings_of_light_mark_up_are_where_they_stand(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    extraction = read(samples.write(tmp_path / name, text))

    page = extraction.pages[0]
    assert [heading.text for heading in page.headings] == expected.split()
    for heading in page.headings:
        assert heading.text in page.text[heading.offset :].split("\n")[0]


def test_rows_under_a_sure_header_carry_its_labels(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.csv", 'Team;Cups\nBlues;1\n"Maple; Leafs";13\n')

    assert text_of(read(path)) == "Team\tCups\nTeam: Blues; Cups: 1\nTeam: Maple; Leafs; Cups: 13"


def test_rows_without_a_sure_header_are_cells_joined_by_tabs(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.csv", "Anna,Berlin\nBob,Paris\n")

    assert text_of(read(path)) == "Anna\tBerlin\nBob\tParis"


def test_every_cell_of_a_large_table_is_found(tmp_path: Path) -> None:
    rows = [f"{number},value{number},{number * 7}" for number in range(20_000)]
    path = samples.write(tmp_path / "big.csv", "id,name,amount\n" + "\n".join(rows))

    extraction = read(path)

    assert len(extraction.pages) > 1
    words = set(text_of(extraction).replace(";", " ").split())
    assert {f"value{number}" for number in range(20_000)} <= words


def test_json_reads_as_names_and_values(tmp_path: Path) -> None:
    data = [{"name": "Käse", "tags": ["a", "b"], "origin": {"country": "CH", "year": 1291}}]
    path = samples.write(tmp_path / "a.json", json.dumps(data))

    expected = "name: Käse\ntags: a, b\norigin:\n  country: CH\n  year: 1291"
    assert text_of(read(path)) == expected


def test_json_that_does_not_parse_is_read_as_text(tmp_path: Path) -> None:
    extraction = read(samples.write(tmp_path / "a.json", '{"name": "unfinished'))

    assert text_of(extraction) == '{"name": "unfinished'
    assert extraction.metadata["note"] == "not valid JSON"


def test_each_line_of_ndjson_is_a_record_and_bad_lines_stay(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.ndjson", '{"n": 1}\nbroken {\n{"n": 2}\n')

    assert text_of(read(path)) == "n: 1\n\nbroken {\n\nn: 2"


def test_code_is_read_as_it_is(tmp_path: Path) -> None:
    code = "def answer():\n    # why\n    return 42"

    assert text_of(read(samples.write(tmp_path / "a.py", code))) == code


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The herons stand in the cold water and wait for the fish to come closer to them.", "en"),
        (
            "Die Reiher stehen im kalten Wasser und warten, bis die Fische näher zu ihnen kommen.",
            "de",
        ),
        (RUSSIAN * 2, "ru"),
        ("too short", ""),
        ("1 2 3 4 5 6 7 8 9 " * 20, ""),
    ],
)
def test_the_language_is_told_only_when_there_is_enough_text(
    tmp_path: Path, text: str, language: str
) -> None:
    assert read(samples.write(tmp_path / "a.txt", text)).language == language


def test_an_extraction_survives_the_way_through_json() -> None:
    pages = (Page(1, "Héron\ntext", (Heading(0, "Héron"),)), Page(2, ""))
    extraction = Extraction(pages=pages, title="T", language="fr", metadata={"author": "A"})

    carried = json.loads(json.dumps(extraction.to_json()))

    assert Extraction.from_json(carried) == extraction


def test_headings_are_found_where_their_offsets_say(tmp_path: Path) -> None:
    body = "".join(f"<h2>Part {n}</h2><p>{'words ' * 4000}</p>" for n in range(8))
    extraction = read(samples.write(tmp_path / "a.html", f"<html>{body}</html>"))

    assert len(extraction.pages) > 1
    assert headings_of(extraction) == [f"Part {n}" for n in range(8)]
    for page in extraction.pages:
        for heading in page.headings:
            assert page.text[heading.offset :].startswith(heading.text)
