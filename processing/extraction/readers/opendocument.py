"""Read OpenDocument texts (odt) from their own XML: headings, paragraphs, tables, page ends."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from documents.errors import CorruptError, EncryptedError
from processing.extraction.archives import open_package
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.package import attribute, local, parse_xml, properties
from processing.extraction.readers.rows import lines_of
from processing.extraction.source import Source

if TYPE_CHECKING:
    from lxml.etree import _Element

_PAGE_END = "\f"
_SKIPPED = frozenset({"tracked-changes", "annotation-end", "bookmark", "sequence-decls"})
_MAX_REPEATED_SPACES = 1000
_MAX_REPEATED_CELLS = 100


def read(source: Source) -> Extraction:
    """Read an odt; pages end where the program that saved it noted soft page breaks."""
    with open_package(source.path) as package:
        _refuse_encrypted(package.read("META-INF/manifest.xml"))
        metadata = properties(package, "meta.xml")
        content = parse_xml(package.read("content.xml"))
    writer = PageWriter()
    body = next((e for e in content.iter() if local(e) == "body"), None)
    if body is None:
        raise CorruptError("The document is damaged: it has no body.")
    _write_blocks(body, writer)
    pages = writer.finish()
    first = pages[0].headings[0].text if pages[0].headings else ""
    return Extraction(pages=pages, title=metadata.pop("title", first), metadata=metadata)


def _refuse_encrypted(manifest: bytes) -> None:
    if any(local(element) == "encryption-data" for element in parse_xml(manifest).iter()):
        raise EncryptedError("The document is protected by a password.")


def _write_blocks(parent: "_Element", writer: PageWriter, *, separator: str = "\n\n") -> None:
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
        elif name not in _SKIPPED:
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
        elif name not in _SKIPPED:
            yield from _characters(child)
        yield _collapse(child.tail)


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
        if local(row) == "table-row":
            yield [text for cell in row for text in _cell(cell)]


def _cell(cell: "_Element") -> list[str]:
    if local(cell) not in ("table-cell", "covered-table-cell"):
        return []
    paragraphs = (e for e in cell.iter() if local(e) in ("p", "h"))
    text = " ".join(" ".join("".join(_characters(p)).split()) for p in paragraphs)
    repeated = attribute(cell, "number-columns-repeated")
    count = int(repeated) if repeated.isdigit() else 1
    return [text] * min(count, _MAX_REPEATED_CELLS)
