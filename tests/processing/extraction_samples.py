"""Small documents of every kind, made where they are needed."""

import io
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docx
import msoffcrypto.format.ooxml
import openpyxl
import pptx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from processing.extraction import Extraction, detect, extract

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def read(path: Path) -> Extraction:
    """Read a document the way the worker does: from a place that has no suffix."""
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(shutil.copyfile(path, Path(folder) / "object"))
        return extract(stored, detect(stored, path.name), path.name)


def text_of(extraction: Extraction) -> str:
    return "\n\n".join(page.text for page in extraction.pages)


def headings_of(extraction: Extraction) -> list[str]:
    return [heading.text for page in extraction.pages for heading in page.headings]


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def make_pdf(path: Path, pages: Sequence[str], *, title: str = "", password: str = "") -> Path:
    """Write a PDF with one line of text a page; an empty string is a page without text."""
    encryption = StandardEncryption(password, canPrint=0) if password else None
    canvas = Canvas(str(path), encrypt=encryption)
    if title:
        canvas.setTitle(title)
    for number, text in enumerate(pages, start=1):
        if text:
            canvas.drawString(72, 720, text)
            canvas.bookmarkPage(f"p{number}")
            canvas.addOutlineEntry(text, f"p{number}")
        else:
            canvas.rect(100, 100, 200, 200, fill=1)
        canvas.showPage()
    canvas.save()
    return path


def make_docx(path: Path) -> Path:
    """Write a document with everything text may hide in: boxes, controls, insertions, notes."""
    document = docx.Document()
    document.core_properties.title = "Report on herons"
    document.core_properties.author = "Ada Reiher"
    document.add_heading("Herons in winter", 1)
    document.add_paragraph("They stand in cold water.")
    document.add_paragraph("first entry", style="List Bullet")
    table = document.add_table(3, 2)
    for row, cells in enumerate((("Bird", "Count"), ("Grey heron", "12"), ("Egret", "7"))):
        for column, cell in enumerate(cells):
            table.cell(row, column).text = cell
    body = document.element.body
    for fragment in (
        "<w:sdt {}><w:sdtContent><w:p><w:r><w:t>Inside a control</w:t></w:r></w:p>"
        "</w:sdtContent></w:sdt>",
        "<w:p {}><w:ins w:id='1' w:author='a'><w:r><w:t>Inserted later</w:t></w:r></w:ins>"
        "<w:del w:id='2' w:author='a'><w:r><w:delText>Struck out</w:delText></w:r></w:del></w:p>",
        "<w:p {}><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>Boxed words</w:t></w:r></w:p>"
        "</w:txbxContent></w:pict></w:r></w:p>",
        "<w:p {}><w:r><w:br w:type='page'/></w:r></w:p>",
    ):
        body.insert(len(body) - 1, parse_xml(fragment.format(nsdecls("w"))))
    document.add_heading("Second page", 2)
    document.add_paragraph("Spring comes late.")
    document.sections[0].header.paragraphs[0].text = "Running head"
    document.save(str(path))
    return add_entry(
        path,
        "word/footnotes.xml",
        f"<w:footnotes xmlns:w='{WORD}'><w:footnote><w:p><w:r><w:t>See appendix nine</w:t></w:r>"
        "</w:p></w:footnote></w:footnotes>",
    )


def make_pptx(path: Path) -> Path:
    """Write two slides: bullets with notes, then a chart beside a grouped text box."""
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Quarterly review"
    first.placeholders[1].text = "Revenue rose\nCosts fell"
    first.notes_slide.notes_text_frame.text = "Pause here for questions"
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Regions"
    # python-pptx ships types, but not for this class.
    make_chart_data: Any = CategoryChartData
    data = make_chart_data()
    data.categories = ["East", "West"]
    data.add_series("Sales", (1.5, 3))
    place = (Inches(1), Inches(2), Inches(3), Inches(3))
    second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data)
    box = second.shapes.add_group_shape().shapes.add_textbox(*place)
    box.text_frame.text = "Grouped remark"
    deck.save(str(path))
    return path


def make_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def make_zip(path: Path, entries: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in entries.items():
            package.writestr(name, content)
    return path


def add_entry(path: Path, name: str, content: bytes | str) -> Path:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr(name, content)
    return path


def make_odt(path: Path, body: str, *, manifest: str = "<manifest/>") -> Path:
    """Write an OpenDocument text; `body` is what stands inside office:text."""
    names = {
        "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "dc": "http://purl.org/dc/elements/1.1/",
    }
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in names.items())
    return make_zip(
        path,
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "META-INF/manifest.xml": manifest,
            "meta.xml": f"<office:document-meta {declared}><office:meta><dc:title>Minutes"
            "</dc:title></office:meta></office:document-meta>",
            "content.xml": f"<office:document-content {declared}><office:body><office:text>{body}"
            "</office:text></office:body></office:document-content>",
        },
    )


def make_epub(path: Path, chapters: Sequence[str]) -> Path:
    """Write a book; each chapter is the inside of an XHTML body."""
    numbers = range(len(chapters))
    items = "".join(
        f'<item id="c{n}" href="text/c{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in numbers
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in numbers)
    entries = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/book.opf"/>'
        "</rootfiles></container>",
        "OPS/book.opf": '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>A small book</dc:title><dc:creator>B. Writer</dc:creator></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for number, chapter in enumerate(chapters):
        entries[f"OPS/text/c{number}.xhtml"] = (
            '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
            f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{chapter}</body></html>'
        )
    return make_zip(path, entries)


def encrypt_office(path: Path, target: Path) -> Path:
    """Put a password on an Office package, as Office itself does."""
    with path.open("rb") as stream, target.open("wb") as encrypted:
        office = msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(stream.read()))
        office.encrypt("secret", encrypted)
    return target
