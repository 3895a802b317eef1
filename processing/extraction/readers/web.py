"""Read web pages: the text a reader would see, by paragraph, list entry and table row."""

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from documents.errors import TooComplexError
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.source import Source
from processing.extraction.text import decode

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_DECLARED_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\n\r\xa0]+")

_UNSEEN = frozenset(
    {"script", "style", "template", "noscript", "head", "iframe", "object", "audio", "video"}
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LINES = frozenset({"li", "dt", "dd", "tr", "option", "summary", "figcaption", "caption", "legend"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "button", "center", "details", "dialog"}
    | {"div", "dl", "fieldset", "figure", "footer", "form", "header", "hr", "html", "main", "nav"}
    | {"ol", "optgroup", "p", "pre", "section", "select", "table", "tbody", "textarea", "tfoot"}
    | {"thead", "ul"}
)
_CELLS = frozenset({"td", "th"})
# https://www.w3.org/TR/html-aria/: the elements and the roles of what frames a page.
_FRAMES = frozenset({"nav", "aside", "button", "select", "datalist", "menu"})
_FRAME_ROLES = frozenset(
    {"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog"}
)
_CONTENT = frozenset({"main", "article", "section", "blockquote"})
_MIN_CONTENT_SHARE = 0.25
# A cell longer than this holds the layout of a page, not a value.
_MAX_VALUE_CHARACTERS = 600


LeaveOut = Callable[["HtmlElement"], bool]


def _nothing(element: "HtmlElement") -> bool:
    """Leave nothing out: what is seen is what counts."""
    return False


class Head(NamedTuple):
    """What a page says of itself."""

    title: str
    language: str
    author: str
    description: str


def read(source: Source) -> Extraction:
    """Read an HTML document without what frames it: menus, banners, feet.

    Where little would be left, the frame is the content, and all of it is read.
    """
    text = decode_html(source.read_bytes())
    frames: list[bool] = []
    writer = PageWriter()
    head = write_html(text, writer, leave_out=partial(_note_frame, frames))
    if any(frames):
        whole = PageWriter()
        write_html(text, whole)
        if _length(writer) < _MIN_CONTENT_SHARE * _length(whole):
            writer = whole
    metadata = {"author": head.author, "description": head.description}
    return Extraction(
        pages=writer.finish(),
        title=head.title,
        language=head.language,
        metadata={name: value for name, value in metadata.items() if value},
    )


def _note_frame(found: list[bool], element: "HtmlElement") -> bool:
    if _is_frame(element):
        found.append(True)
        return True
    return False


def _length(writer: PageWriter) -> int:
    return sum(len(page.text) for page in writer.finish())


def _is_frame(element: "HtmlElement") -> bool:
    """Whether an element frames a page instead of saying something, by its name or its role."""
    role = element.get("role", "").lower()
    if role in _FRAME_ROLES or element.tag in _FRAMES:
        return True
    if element.tag == "header" and element.find(".//h1") is not None:
        return False  # It names the page, which a banner does not.
    # Within an article a head has its title and its date, and a foot its notes.
    return element.tag in ("header", "footer") and not any(
        above.tag in _CONTENT or above.get("role") == "main" for above in element.iterancestors()
    )


def decode_html(data: bytes) -> str:
    """Decode a page; what its own meta element or XML declaration names is a hint."""
    declared = _DECLARED_CHARSET.search(data[:4096])
    return decode(data, declared[1].decode("ascii") if declared else "")


def write_html(text: str, writer: PageWriter, *, leave_out: LeaveOut = _nothing) -> Head:
    """Write what is seen of a page to the writer and return what its head says."""
    from lxml import etree, html

    # No entities are defined in HTML, so the limits that huge_tree lifts only cost us pages that
    # nest a few hundred <font>. Memory is bounded by the process this runs in.
    parser = html.HTMLParser(huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        root = html.document_fromstring(_XML_DECLARATION.sub("", text), parser=parser)
    except etree.ParserError:
        return Head("", "", "", "")  # nothing in it but comments or white space
    # The parser leaves out what is deeper than it goes, and says so only in its log.
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise TooComplexError("The page is nested too deeply to be read.")
    _Walk(writer, leave_out).over(root)
    return _head(root)


class _Walk:
    """One pass over the elements of a page, without recursion: pages nest as deep as they like."""

    def __init__(self, writer: PageWriter, leave_out: LeaveOut) -> None:
        self.writer = writer
        self.leave_out = leave_out
        self.left_out: set[HtmlElement] = set()
        self.buffer: list[str] = []
        self.separator = "\n\n"
        self.preformatted = 0
        self.row_depth = 0

    def over(self, root: "HtmlElement") -> None:
        from lxml import etree

        walker = etree.iterwalk(root, events=("start", "end"))
        for event, element in walker:
            if not isinstance(element.tag, str):
                continue
            if event == "start":
                if element.tag in _UNSEEN or _is_hidden(element) or self.leave_out(element):
                    self.left_out.add(element)
                    # No end event comes for its inside, but one for itself.
                    walker.skip_subtree()
                    continue
                self._start(element)
            else:
                self._end(element)
        self._flush()

    def _start(self, element: "HtmlElement") -> None:
        tag = element.tag
        if tag == "table" and self.row_depth == 0 and not _holds_values(element):
            element.set("data-layout", "1")
        elif tag == "tr" and not _is_layout(element):
            self._flush("\n")
            self.row_depth += 1
        elif tag in _HEADINGS or tag in _BLOCKS or tag in _LINES or tag in _CELLS:
            self._break(tag)
        elif tag == "br":
            self.buffer.append("\n" if not self.row_depth else " ")
        elif tag == "img":
            self.buffer.append(f" {element.get('alt') or ''} ")
        if tag in ("pre", "textarea"):
            self.preformatted += 1
        self._text(element.text)

    def _end(self, element: "HtmlElement") -> None:
        tag = element.tag
        if element in self.left_out:
            self.left_out.remove(element)
            self._text(element.tail)
            return
        if tag in _HEADINGS and not self.row_depth:
            self._flush_heading()
        elif tag == "tr" and not _is_layout(element):
            self.row_depth -= 1
            self._flush("\n")
        elif tag in _CELLS and self.row_depth:
            self.buffer.append("\t")
        elif tag in _BLOCKS or tag in _LINES or tag in _CELLS or tag in _HEADINGS:
            self._break(tag)
        if tag in ("pre", "textarea"):
            self.preformatted -= 1
        self._text(element.tail)

    def _text(self, text: str | None) -> None:
        if text:
            self.buffer.append(text if self.preformatted else _SPACES.sub(" ", text))

    def _break(self, tag: str) -> None:
        if self.row_depth:
            self.buffer.append(" ")
        else:
            self._flush("\n" if tag in _LINES else "\n\n")

    def _flush(self, separator: str = "\n\n") -> None:
        """Write what was gathered; the separator stands before what is gathered next."""
        text = "".join(self.buffer)
        self.buffer.clear()
        if not self.preformatted:
            text = _tidy(text)
        if text.strip():
            self.writer.add(text, separator=self.separator)
            self.separator = separator
            if self.writer.is_full:
                self.writer.end_page()
        elif separator == "\n\n":
            self.separator = separator

    def _flush_heading(self) -> None:
        text = "".join(self.buffer)
        self.buffer.clear()
        self.writer.add_heading(text)
        self.separator = "\n\n"


def _tidy(text: str) -> str:
    lines = (
        re.sub(" *\t[ \t]*", "\t", re.sub(" {2,}", " ", line)).strip() for line in text.split("\n")
    )
    return re.sub("\n{3,}", "\n\n", "\n".join(lines))


def _is_hidden(element: "HtmlElement") -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN_STYLE.search(element.get("style", "")))


def _holds_values(table: "HtmlElement") -> bool:
    """Whether a table is one of values, read by row; the others only arrange a page."""
    if next(table.iterdescendants("table"), None) is not None:
        return False
    cells = table.iterdescendants("td", "th")
    return all(len("".join(cell.itertext())) <= _MAX_VALUE_CHARACTERS for cell in cells)


def _is_layout(row: "HtmlElement") -> bool:
    table = next(row.iterancestors("table"), None)
    return table is None or table.get("data-layout") is not None


def _head(root: "HtmlElement") -> Head:
    def meta(name: str) -> str:
        found = root.xpath("//meta[@name=$name or @property=$name]/@content", name=name)
        return str(found[0]).strip() if found else ""

    title = str(root.xpath("string(//title)"))
    language = str(root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or "")
    return Head(
        title=" ".join(title.split()) or meta("og:title"),
        language=language[:2].lower() if re.match(r"^[A-Za-z]{2}(-|$)", language) else "",
        author=meta("author"),
        description=meta("description"),
    )
