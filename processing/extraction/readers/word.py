"""Read Word documents (docx) from their own XML.

Directly, because the text people look for is also in content controls, tracked
insertions, text boxes, footnotes and comments, which object models of the format
leave out.
"""

import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from processing.extraction.archives import open_package
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.describing import described
from processing.extraction.readers.drawing import paragraphs, related
from processing.extraction.readers.package import attribute, local, parse_xml, properties
from processing.extraction.readers.rows import lines_of
from processing.extraction.source import Source

if TYPE_CHECKING:
    from lxml.etree import _Element

_PAGE_END = "\f"
_SKIPPED = frozenset({"del", "moveFrom", "Fallback", "instrText", "delText", "rPr", "pPr"})
_CHARACTERS = {"tab": "\t", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
# Containers whose content stands in the flow of the text.
_TRANSPARENT = frozenset({"sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag", "body"})
_AFTER_THE_TEXT = ("footnotes", "endnotes", "comments", "header", "footer")
_MAX_VALUE_CHARACTERS = 600


def read(source: Source) -> Extraction:
    """Read a docx; its pages are those Word noted when it last laid the document out."""
    with open_package(source.path) as package:
        metadata = properties(package, "docProps/core.xml")
        main = _main_part(package)
        document = parse_xml(package.read(main))
        folder = main.rpartition("/")[0]
        flow = _Flow(_heading_styles(package, f"{folder}/styles.xml"), _page_mark(document))
        flow.blocks(document)
        _write_after(package, folder, flow)
        _write_drawn(package, main, flow)
        pages = described(package, flow.writer.finish())
    first = pages[0].headings[0].text if pages[0].headings else ""
    return Extraction(pages=pages, title=metadata.pop("title", first), metadata=metadata)


class _Flow:
    """Writes paragraphs and tables in the order in which they are read."""

    def __init__(self, heading_styles: frozenset[str], page_mark: str) -> None:
        self.writer = PageWriter()
        self._heading_styles = heading_styles
        self._page_mark = page_mark
        self._noted: set[str] = set()

    def notes(self, part: "_Element") -> None:
        """Write the paragraphs of a part that stands beside the flow, equal ones once."""
        for paragraph in part.iter():
            if local(paragraph) == "p":
                text = "".join(self._characters(paragraph, [])).replace(_PAGE_END, "").strip()
                if text not in self._noted:
                    self.writer.add(text)
                    self._noted.add(text)

    def blocks(self, parent: "_Element") -> None:
        """Write every block in a body, a cell or a text box."""
        for child in parent:
            name = local(child)
            if name == "p":
                self._paragraph(child)
            elif name == "tbl":
                self._table(child)
            elif name in _TRANSPARENT:
                self.blocks(child)

    def _paragraph(self, paragraph: "_Element") -> None:
        boxes: list[_Element] = []
        parts = "".join(self._characters(paragraph, boxes)).split(_PAGE_END)
        is_heading, is_entry = self._style(paragraph)
        for index, text in enumerate(parts):
            if index or (not self._page_mark and self.writer.is_full):
                self.writer.end_page()
            if is_heading:
                self.writer.add_heading(text)
            else:
                self.writer.add(text, separator="\n" if is_entry else "\n\n")
        for box in boxes:
            self.blocks(box)

    def _characters(self, element: "_Element", boxes: list["_Element"]) -> Iterator[str]:
        for child in element:
            name = local(child)
            if name == "t":
                yield child.text or ""
            elif name == "txbxContent":
                boxes.append(child)
            elif name in _CHARACTERS:
                yield _CHARACTERS[name]
            elif name == "br":
                yield self._break(child)
            elif name == "lastRenderedPageBreak":
                yield _PAGE_END if self._page_mark == name else ""
            elif name not in _SKIPPED:
                yield from self._characters(child, boxes)

    def _break(self, element: "_Element") -> str:
        if attribute(element, "type") == "page":
            return _PAGE_END if self._page_mark == "br" else "\n"
        return "\n"

    def _style(self, paragraph: "_Element") -> tuple[bool, bool]:
        """Return whether a paragraph is a heading, and whether it is an entry of a list."""
        is_heading = is_entry = False
        for group in paragraph:
            if local(group) != "pPr":
                continue
            for setting in group:
                name, value = local(setting), attribute(setting, "val")
                is_heading |= name == "pStyle" and value in self._heading_styles
                is_heading |= name == "outlineLvl" and value.isdigit() and int(value) < 9
                is_entry |= name == "numPr" or (name == "pStyle" and value.startswith("List"))
        return is_heading, is_entry

    def _table(self, table: "_Element") -> None:
        rows = [list(_cells(row)) for row in _rows(table)]
        texts = [[self._cell_text(cell) for cell in row] for row in rows]
        if _holds_values(table, texts):
            self._write_rows(texts)
            return
        for row in rows:
            for cell in row:
                self.blocks(cell)

    def _cell_text(self, cell: "_Element") -> str:
        boxes: list[_Element] = []
        return " ".join("".join(self._characters(p, boxes)) for p in cell.iter() if local(p) == "p")

    def _write_rows(self, rows: list[list[str]]) -> None:
        separator = "\n\n"
        clean_rows = [[" ".join(cell.split()) for cell in row] for row in rows]
        for line in lines_of(clean_rows):
            self.writer.add(line, separator=separator)
            separator = "\n"
        # Every column notes the page end that crosses its row: it is one page end all the same.
        for row in rows:
            if any(_PAGE_END in cell for cell in row):
                self.writer.end_page()


def _rows(table: "_Element") -> Iterator["_Element"]:
    for child in table:
        if local(child) == "tr":
            yield child
        elif local(child) in _TRANSPARENT:
            yield from _rows(child)


def _cells(row: "_Element") -> Iterator["_Element"]:
    for child in row:
        if local(child) == "tc":
            yield child
        elif local(child) in _TRANSPARENT:
            yield from _cells(child)


def _holds_values(table: "_Element", rows: list[list[str]]) -> bool:
    """Whether a table is one of values; the others only arrange a page."""
    is_nested = any(local(inner) == "tbl" for inner in table.iterdescendants())
    return not is_nested and all(len(c) <= _MAX_VALUE_CHARACTERS for row in rows for c in row)


def _page_mark(document: "_Element") -> str:
    """Choose what marks a page end: a break somebody set is also noted where it was laid out."""
    names = {local(element) for element in document.iter()}
    return "lastRenderedPageBreak" if "lastRenderedPageBreak" in names else _hard_break(document)


def _hard_break(document: "_Element") -> str:
    breaks = (e for e in document.iter() if local(e) == "br" and attribute(e, "type") == "page")
    return "br" if next(breaks, None) is not None else ""


def _heading_styles(package: zipfile.ZipFile, part: str) -> frozenset[str]:
    """Return the ids of the styles that are headings by name, by outline level or by descent."""
    if part not in package.namelist():
        return frozenset({*(f"Heading{level}" for level in range(1, 10)), "Title"})
    found: set[str] = set()
    parents: dict[str, str] = {}
    for style in parse_xml(package.read(part)):
        if local(style) != "style":
            continue
        key = attribute(style, "styleId")
        for setting in style.iterdescendants():
            name, value = local(setting), attribute(setting, "val")
            if _is_heading_setting(name, value):
                found.add(key)
            elif name == "basedOn":
                parents[key] = value
    return frozenset(found | {key for key in parents if _descends(key, parents, found)})


def _is_heading_setting(name: str, value: str) -> bool:
    if name == "name":
        return value.lower().startswith(("heading", "title", "subtitle"))
    return name == "outlineLvl" and value.isdigit() and int(value) < 9


def _descends(key: str, parents: dict[str, str], headings: set[str]) -> bool:
    seen: set[str] = set()
    while key in parents and key not in seen:
        seen.add(key)
        key = parents[key]
        if key in headings:
            return True
    return False


def _main_part(package: zipfile.ZipFile) -> str:
    for relation in parse_xml(package.read("_rels/.rels")):
        if attribute(relation, "Type").endswith("/officeDocument"):
            return attribute(relation, "Target").lstrip("/")
    return "word/document.xml"


def _write_after(package: zipfile.ZipFile, folder: str, flow: _Flow) -> None:
    """Write notes, comments and running heads behind the text they belong to."""
    for name in sorted(package.namelist()):
        stem = name.removeprefix(f"{folder}/").removesuffix(".xml").rstrip("0123456789")
        if name.endswith(".xml") and stem in _AFTER_THE_TEXT:
            flow.notes(parse_xml(package.read(name)))


def _write_drawn(package: zipfile.ZipFile, main: str, flow: _Flow) -> None:
    """Write what charts and diagrams say, which the text only refers to."""
    for part in related(package, main, "chart", "diagramData"):
        for text in paragraphs(parse_xml(package.read(part))):
            flow.writer.add(text)
