"""Web pages, XML and books give all the text a reader would see, and nothing else."""

from pathlib import Path

import pytest

from documents.errors import TooComplexError
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import headings_of, read, text_of

PAGE = """<!DOCTYPE html><html lang="de"><head><title>Die Seite</title>
<meta name="author" content="E. Schreiber"><style>p {color: red}</style></head><body>
<nav><a href="/">Start</a></nav><h1>Große  <em>Worte</em></h1>
<p>Ein Satz mit <b>fettem</b> Wort<br>und Umbruch.</p><div>lose <p>Absatz</p>danach</div>
<ul><li>eins</li><li>zwei</li></ul>
<table><tr><th>Ort</th><th>Zahl</th></tr><tr><td><p>Bern</p></td><td>7</td></tr></table>
<p hidden>versteckt</p><div style="display: none">auch versteckt</div>
<script>alert("code")</script><img src="x" alt="Bild eines Reihers"><pre>a
  b</pre></body></html>"""


def test_a_page_is_read_by_paragraph_entry_and_row(tmp_path: Path) -> None:
    extraction = read(samples.write(tmp_path / "a.html", PAGE))

    assert text_of(extraction) == (
        "Große Worte\n\nEin Satz mit fettem Wort\nund Umbruch.\n\nlose\n\nAbsatz\n\n"
        "danach\n\neins\nzwei\n\nOrt\tZahl\nBern\t7\n\nBild eines Reihers\n\na\n  b"
    )
    assert extraction.title == "Die Seite"
    assert extraction.metadata == {"author": "E. Schreiber"}
    assert headings_of(extraction) == ["Große Worte"]


def test_a_table_that_only_arranges_a_page_is_read_as_text(tmp_path: Path) -> None:
    cell = "<p>Left column.</p><p>Second paragraph.</p>" + "word " * 200
    path = samples.write(
        tmp_path / "a.html", f"<html><table><tr><td>{cell}</td></tr></table></html>"
    )

    assert text_of(read(path)).startswith("Left column.\n\nSecond paragraph.\n\nword word")


def test_a_page_says_its_own_charset(tmp_path: Path) -> None:
    html = '<html><meta charset="iso-8859-2"><p>Zażółć gęślą</p></html>'
    path = samples.write(tmp_path / "a.html", html.encode("iso-8859-2"))

    assert text_of(read(path)) == "Zażółć gęślą"


def test_a_page_may_nest_deeper_than_python_recurses(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.html", "<html>" + "<div>" * 1500 + "deep down")

    assert text_of(read(path)) == "deep down"


def test_a_page_deeper_than_its_parser_goes_is_refused_and_not_cut(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.html", "<html>" + "<div>" * 5000 + "deep down")

    with pytest.raises(TooComplexError, match="nested too deeply"):
        read(path)


def test_values_of_xml_carry_their_names_and_records_stay_together(tmp_path: Path) -> None:
    path = samples.write(
        tmp_path / "a.xml",
        '<?xml version="1.0"?><list><item id="1"><name>Bern</name><size>7</size></item>'
        "<item><name>Basel</name></item></list>",
    )

    assert text_of(read(path)) == "item id: 1\nname: Bern\nsize: 7\n\nname: Basel"


def test_running_text_of_xml_runs_on(tmp_path: Path) -> None:
    path = samples.write(
        tmp_path / "a.xml",
        '<?xml version="1.0"?><doc><title>On herons</title>'
        "<para>They <b>stand</b> still.</para></doc>",
    )

    extraction = read(path)

    assert text_of(extraction) == "On herons\n\nThey stand still."
    assert extraction.title == "On herons"


def test_xml_that_is_not_well_formed_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.xml", '<?xml version="1.0"?><a><b>kept</b><c>open</a>')

    extraction = read(path)

    assert "b: kept" in text_of(extraction)
    assert extraction.metadata["note"] == "not well-formed XML"


def test_a_book_is_read_chapter_by_chapter_in_its_own_order(tmp_path: Path) -> None:
    chapters = [f"<h1>Chapter {n}</h1><p>Text of {n}&#160;here.</p>" for n in (1, 2, 3)]

    extraction = read(samples.make_epub(tmp_path / "a.epub", chapters))

    assert [p.text for p in extraction.pages] == [
        f"Chapter {n}\n\nText of {n} here." for n in (1, 2, 3)
    ]
    assert extraction.title == "A small book"
    assert extraction.metadata["author"] == "B. Writer"
