"""Read OpenDocument (odt, ods, odp) from its own XML, with notes, comments and running heads."""

import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from documents.errors import CorruptError, EncryptedError
from processing.extraction.archives import open_package
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.describing import described
from processing.extraction.readers.package import attribute, local, parse_xml, properties
from processing.extraction.readers.rows import header_of_data, lines_of
from processing.extraction.source import Source

if TYPE_CHECKING:
    from lxml.etree import _Element

_PAGE_END = "\f"
_SKIPPED = frozenset({"tracked-changes", "annotation-end", "bookmark", "sequence-decls"})
_MAX_REPEATED_SPACES = 1000
_MAX_REPEATED_CELLS = 100
_MAX_REPEATED_ROWS = 1000
_RUNNING_HEAD = re.compile(r"(header|footer)(-left|-first)?")
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


def read(source: Source) -> Extraction:
    """Read a text, a workbook or a presentation of OpenDocument, with what is hidden in it.

    Pages of a text end where the program that saved it noted soft page breaks.
    """
    with open_package(source.path) as package:
        _refuse_encrypted(package.read("META-INF/manifest.xml"))
        metadata = properties(package, "meta.xml")
        content = parse_xml(package.read("content.xml"))
        body = next((e for e in content.iter() if local(e) == "body"), None)
        if body is None:
            raise CorruptError("The document is damaged: it has no body.")
        writer = PageWriter()
        _write_body(body, writer)
        for text in _running_heads(package):
            writer.add(text)
        pages = described(package, writer.finish())
    first = pages[0].headings[0].text if pages[0].headings else ""
    return Extraction(pages=pages, title=metadata.pop("title", first), metadata=metadata)


def _write_body(body: "_Element", writer: PageWriter) -> None:
    for kind in body:
        if local(kind) == "spreadsheet":
            _write_sheets(kind, writer)
        elif local(kind) == "presentation":
            _write_slides(kind, writer)
        else:
            _write_blocks(kind, writer)


def _write_sheets(book: "_Element", writer: PageWriter) -> None:
    """Write one page or more per sheet, one line per row, cells as they are shown."""
    for sheet in book:
        if local(sheet) != "table":
            continue
        writer.add_heading(attribute(sheet, "name"))
        separator = "\n\n"
        for line in lines_of(_rows(sheet), header_of_data):
            writer.add(line, separator=separator)
            separator = "\n" if line else "\n\n"
            if writer.is_full:
                writer.end_page()
        for note in _annotations(sheet):
            writer.add(note)
        if not writer.is_empty:
            writer.end_page()


def _write_slides(presentation: "_Element", writer: PageWriter) -> None:
    """Write one page per slide, with its notes and the comments on it."""
    for slide in presentation:
        if local(slide) != "page":
            continue
        for frame in slide:
            if attribute(frame, "class") == "title" and writer.is_empty:
                writer.add_heading(_words(frame))
            else:
                _write_blocks([frame], writer)
        writer.end_page()


def _words(element: "_Element") -> str:
    paragraphs = (e for e in element.iter() if local(e) in ("p", "h"))
    return "\n".join("".join(_characters(each)) for each in paragraphs)


def _annotations(sheet: "_Element") -> Iterator[str]:
    for element in sheet.iter():
        if local(element) == "annotation":
            yield _words(element)


def _running_heads(package: zipfile.ZipFile) -> Iterator[str]:
    """Yield the heads and feet of the pages, equal ones once."""
    if "styles.xml" not in package.namelist():
        return
    styles = parse_xml(package.read("styles.xml"))
    heads = (e for e in styles.iter() if _RUNNING_HEAD.fullmatch(local(e)))
    yield from dict.fromkeys(text for head in heads if (text := _words(head).strip()))


def _refuse_encrypted(manifest: bytes) -> None:
    if any(local(element) == "encryption-data" for element in parse_xml(manifest).iter()):
        raise EncryptedError("The document is protected by a password.")


def _write_blocks(
    parent: Iterable["_Element"], writer: PageWriter, *, separator: str = "\n\n"
) -> None:
    for child in parent:
        name = local(child)
        if name == "h":
            writer.add_heading("".join(_characters(child)).replace(_PAGE_END, ""))
        elif name == "p":
            _write_paragraph(child, writer, separator)
        elif name == "table":
            _write_table(child, writer)
        elif name == "list":
            _write_blocks(child, writer, separator="\n")
        elif name == "soft-page-break":
            writer.end_page()
        elif not _is_skipped(child):
            _write_blocks(child, writer, separator=separator)


def _write_paragraph(paragraph: "_Element", writer: PageWriter, separator: str) -> None:
    first, *others = "".join(_characters(paragraph)).split(_PAGE_END)
    writer.add(first, separator=separator)
    for text in others:
        writer.end_page()
        writer.add(text)
    if writer.is_full:
        writer.end_page()


def _characters(element: "_Element") -> Iterator[str]:
    """Yield the text of a paragraph; white space is what its own elements say (ODF 1.3, 6.1.2)."""
    yield _collapse(element.text)
    for child in element:
        name = local(child)
        if name == "s":
            count = attribute(child, "c")
            yield " " * min(int(count) if count.isdigit() else 1, _MAX_REPEATED_SPACES)
        elif name == "tab":
            yield "\t"
        elif name == "line-break":
            yield "\n"
        elif name == "soft-page-break":
            yield _PAGE_END
        elif name == "p" or name == "h":
            yield "\n" + "".join(_characters(child)) + "\n"  # in a text box, a note or a comment
        elif not _is_skipped(child):
            yield from _characters(child)
        yield _collapse(child.tail)


def _is_skipped(element: "_Element") -> bool:
    # When a comment was written, which the date in a text is not.
    is_moment = local(element) == "date" and str(element.tag).startswith(_DUBLIN_CORE)
    return is_moment or local(element) in _SKIPPED


def _collapse(text: str | None) -> str:
    if not text:
        return ""
    words = " ".join(text.split())
    before = " " if text[0].isspace() else ""
    after = " " if text[-1].isspace() and words else ""
    return before + words + after


def _write_table(table: "_Element", writer: PageWriter) -> None:
    separator = "\n\n"
    for line in lines_of(_rows(table)):
        writer.add(line, separator=separator)
        separator = "\n"


def _rows(table: "_Element") -> Iterator[list[str]]:
    for row in table.iter():
        if local(row) != "table-row":
            continue
        texts = [text for cell in row for text in _cell(cell)]
        while texts and not texts[-1]:
            texts.pop()
        repeated = attribute(row, "number-rows-repeated")
        count = int(repeated) if repeated.isdigit() and any(texts) else 1
        for _ in range(min(count, _MAX_REPEATED_ROWS)):
            yield texts


def _cell(cell: "_Element") -> list[str]:
    if local(cell) not in ("table-cell", "covered-table-cell"):
        return []
    # A comment on the cell is told behind the table.
    inside = (e for child in cell if local(child) != "annotation" for e in child.iter())
    paragraphs = (e for e in inside if local(e) in ("p", "h"))
    text = " ".join(" ".join("".join(_characters(p)).split()) for p in paragraphs)
    repeated = attribute(cell, "number-columns-repeated")
    count = int(repeated) if repeated.isdigit() else 1
    return [text] * min(count, _MAX_REPEATED_CELLS)
