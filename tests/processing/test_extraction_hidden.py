"""What does not stand in the running text of an office document is found too."""

import datetime
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from pptx.util import Inches

from processing.extraction import detect, media_types
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import read, text_of

NAMES = (
    " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in (
            ("office", "office"),
            ("text", "text"),
            ("table", "table"),
            ("draw", "drawing"),
            ("presentation", "presentation"),
            ("style", "style"),
            ("meta", "meta"),
        )
    )
    + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
HIDDEN_SHEET = "Salaries"
# Workbooks know no time zones.
AFTERNOON = datetime.datetime(2024, 5, 7, 14, 5)  # noqa: DTZ001


def make_open_document(path: Path, kind: str, body: str, styles: str = "") -> Path:
    return samples.make_zip(
        path,
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "META-INF/manifest.xml": "<manifest/>",
            "meta.xml": f"<office:document-meta {NAMES}><office:meta><meta:keyword>estuary"
            "</meta:keyword><meta:user-defined meta:name='File number'>HX-77</meta:user-defined>"
            "</office:meta></office:document-meta>",
            "styles.xml": f"<office:document-styles {NAMES}>{styles}</office:document-styles>",
            "content.xml": f"<office:document-content {NAMES}><office:body><office:{kind}>{body}"
            f"</office:{kind}></office:body></office:document-content>",
        },
    )


def test_comments_deletions_and_properties_of_a_word_document(tmp_path: Path) -> None:
    document = docx.Document()
    run = document.add_paragraph("The heron stands.").runs[0]
    document.add_comment(run, text="Really? Check the harbour log.", author="Bob")
    document.sections[0].footer.paragraphs[0].text = "Printed in Bremen"
    properties = document.core_properties
    properties.keywords, properties.subject = "wader, estuary", "Coastal birds"
    properties.last_modified_by, properties.category = "Cleo Kranich", "Field notes"
    document.save(str(tmp_path / "a.docx"))
    samples.add_entry(
        tmp_path / "a.docx",
        "docProps/custom.xml",
        "<Properties><property name='File number'><lpwstr>HX-77</lpwstr></property></Properties>",
    )

    text = text_of(read(tmp_path / "a.docx"))

    for found in (
        "Really? Check the harbour log.",
        "Printed in Bremen",
        "Keywords: wader, estuary",
        "Subject: Coastal birds",
        "Last changed by: Cleo Kranich",
        "Category: Field notes",
        "File number: HX-77",
    ):
        assert found in text
    assert "python-docx" not in text


def test_a_hidden_slide_and_what_stands_off_a_slide(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[6])
    off = first.shapes.add_textbox(Inches(-3), Inches(-2), Inches(2), Inches(1))
    off.text_frame.text = "Draft remark beside the slide"
    second = deck.slides.add_slide(deck.slide_layouts[6])
    second.shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1)).text_frame.text = "Spare"
    second._element.set("show", "0")
    deck.save(str(tmp_path / "a.pptx"))

    extraction = read(tmp_path / "a.pptx")

    assert [page.text.splitlines()[0] for page in extraction.pages] == [
        "Draft remark beside the slide",
        "Spare",
    ]


def make_workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Prices"
    for row in [["Article", "Price"], ["Eel", 3.5], ["Pike", 4.25]]:
        sheet.append(row)
    sheet["B2"].comment = Comment("Ask the smokehouse", "Ada")
    sheet.row_dimensions[3].hidden = True
    sheet.oddHeader.center.text = "Confidential &P"
    sheet.oddFooter.left.text = "Fish & Sons"
    chart = BarChart()
    chart.title = "Catch of the week"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "E5")
    hidden = book.create_sheet(HIDDEN_SHEET)
    hidden.append(["Only for the owner"])
    hidden.sheet_state = "veryHidden"
    book.properties.keywords = "smoked fish"
    book.save(path)
    return path


def test_comments_hidden_rows_and_sheets_heads_and_charts_of_a_workbook(tmp_path: Path) -> None:
    extraction = read(make_workbook(tmp_path / "a.xlsx"))

    prices, hidden = (page.text for page in extraction.pages)
    for found in ("Ask the smokehouse", "Article: Pike; Price: 4.25", "Catch of the week"):
        assert found in prices
    assert "Confidential" in prices
    assert hidden.startswith(f"{HIDDEN_SHEET}\n\nOnly for the owner")
    assert "Keywords: smoked fish" in hidden


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.256, "0%", "26%"),
        (0.256, "0.0%", "25.6%"),
        (1234.5, "#,##0.00", "1234.50"),
        (1234.5, '#,##0.00 "kg"', "1234.50 kg"),
        (12, "[$€-407] #,##0.00", "€ 12.00"),
        (-5, "#,##0;[Red](#,##0)", "(5)"),
        (0, '0;-0;"none"', "none"),
        (7, "000", "7"),
        (3, "General", "3"),
        (2.5, "0.00E+00", "2.5"),
        (datetime.date(2024, 5, 7), "dd.mm.yyyy", "07.05.2024"),
        (datetime.date(2024, 5, 7), "d mmmm yyyy", "7 May 2024"),
        (datetime.date(2024, 5, 7), "mm-dd-yy", "2024-05-07"),
        (AFTERNOON, "yyyy-mm-dd hh:mm", "2024-05-07 14:05"),
        (AFTERNOON, "h:mm AM/PM", "2:05 PM"),
        (datetime.timedelta(hours=30, minutes=5), "[h]:mm:ss", "30:05:00"),
        (True, "General", "TRUE"),
    ],
)
def test_a_cell_is_read_as_a_person_sees_it(
    tmp_path: Path, value: object, code: str, shown: str
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"], sheet["B1"] = "It says:", value
    sheet["B1"].number_format = code
    book.save(tmp_path / "a.xlsx")

    assert text_of(read(tmp_path / "a.xlsx")) == f"Sheet\n\nIt says:\t{shown}"


def test_a_workbook_of_open_document_gives_shown_values_and_comments(tmp_path: Path) -> None:
    def cell(text: str, inside: str = "") -> str:
        return f"<table:table-cell>{inside}<text:p>{text}</text:p></table:table-cell>"

    note = (
        "<office:annotation><dc:creator>Ada</dc:creator><dc:date>2024-01-01</dc:date>"
        "<text:p>Ask the smokehouse</text:p></office:annotation>"
    )
    rows = "".join(
        f"<table:table-row>{''.join(cells)}</table:table-row>"
        for cells in (
            (cell("Article"), cell("Price")),
            (cell("Eel", note), cell("3,50 €")),
            (cell("Pike"), cell("4,25 €")),
        )
    )
    body = (
        f"<table:table table:name='Prices'>{rows}<table:table-row table:number-rows-repeated="
        "'1048000'><table:table-cell table:number-columns-repeated='1000'/></table:table-row>"
        "</table:table><table:table table:name='Hidden' table:display='false'><table:table-row>"
        f"{cell('Only for the owner')}</table:table-row></table:table>"
    )
    path = make_open_document(tmp_path / "a.ods", "spreadsheet", body)

    extraction = read(path)

    assert detect(path, path.name) == media_types.ODS
    assert [page.text for page in extraction.pages] == [
        "Prices\n\nArticle\tPrice\nArticle: Eel; Price: 3,50 €\nArticle: Pike; Price: 4,25 €\n\n"
        "Ask the smokehouse",
        "Hidden\n\nOnly for the owner\n\nKeywords: estuary\nFile number: HX-77",
    ]


def test_a_presentation_of_open_document_gives_slides_notes_and_comments(tmp_path: Path) -> None:
    body = (
        "<draw:page><draw:frame presentation:class='title'><draw:text-box><text:p>Regions</text:p>"
        "</draw:text-box></draw:frame><draw:custom-shape><text:p>North coast</text:p>"
        "</draw:custom-shape><office:annotation><text:p>Add the islands</text:p>"
        "</office:annotation><presentation:notes><draw:frame><draw:text-box><text:p>Pause here"
        "</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>"
        "<draw:page><draw:frame><draw:text-box><text:p>Second</text:p></draw:text-box>"
        "</draw:frame></draw:page>"
    )
    path = make_open_document(tmp_path / "a.odp", "presentation", body)

    extraction = read(path)

    assert detect(path, path.name) == media_types.ODP
    assert extraction.pages[0].text == "Regions\n\nNorth coast\n\nAdd the islands\n\nPause here"
    assert extraction.pages[1].text.startswith("Second")
    assert extraction.title == "Regions"


def test_notes_deletions_and_running_heads_of_an_open_document_text(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>Struck out</text:p>"
        "</text:deletion></text:changed-region></text:tracked-changes>"
        "<text:p>Inserted<text:note><text:note-body><text:p>See appendix nine</text:p>"
        "</text:note-body></text:note></text:p>"
    )
    head = (
        "<office:master-styles><style:master-page><style:header><text:p>Running head</text:p>"
        "</style:header></style:master-page></office:master-styles>"
    )
    path = make_open_document(tmp_path / "a.odt", "text", body, head)

    text = text_of(read(path))

    assert "See appendix nine" in text
    assert "Running head" in text
    assert "Struck out" not in text


def test_rows_of_words_carry_their_headers_into_every_chunk(tmp_path: Path) -> None:
    rows = "\n".join(f"Person {chr(97 + n)},City of {chr(97 + n)}" for n in range(20))
    path = samples.write(tmp_path / "a.csv", f"Name,Town\n{rows}\n")

    lines = text_of(read(path)).splitlines()

    assert lines[0] == "Name\tTown"
    assert lines[1] == "Name: Person a; Town: City of a"
    assert all(line.startswith("Name: ") and "; Town: " in line for line in lines[1:])


def test_a_list_without_headers_is_not_given_any(tmp_path: Path) -> None:
    path = samples.write(tmp_path / "a.csv", "Ada,London\nBob,Paris\nAda,Rome\n")

    assert text_of(read(path)) == "Ada\tLondon\nBob\tParis\nAda\tRome"
