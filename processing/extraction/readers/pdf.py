"""Read PDF documents page by page with pdfium: the text they have, and how pages look."""

import mmap
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from documents.errors import CorruptError, EncryptedError, UnsupportedError
from processing.extraction import scans
from processing.extraction.hyphens import HYPHENATED, join_hyphenated
from processing.extraction.limits import check_pages
from processing.extraction.pages import Extraction, Heading, Page
from processing.extraction.recognition import Raster
from processing.extraction.source import Source
from processing.extraction.text import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_PROPERTIES = {
    "Author": "author",
    "Subject": "subject",
    "Keywords": "keywords",
    "CreationDate": "created",
    "Creator": "program",
}
_WORD = re.compile(r"\w+")
_NO_TITLES = re.compile(r"^(untitled.*|.*\.(docx?|indd|qxd|xlsx?|pptx?|tex|dvi))$", re.IGNORECASE)
_OFFICE_PREFIX = re.compile(r"^Microsoft (Word|PowerPoint|Excel) - ")
_MAX_BOOKMARKS = 5000
_MIN_BOOKMARK_CHARACTERS = 3
# What pdfium has no decoder for: https://pdfa.org/resource/extension-brotli
_BROTLI = b"/BrotliDecode"
_ENCRYPTED = b"/Encrypt"
_PACKED_WITH_BROTLI = (
    "The PDF is packed with Brotli, which cannot be read here; saved again without it, it can."
)


def read(source: Source) -> Extraction:
    """Read a PDF; pages that only show their text are empty, and to be recognised."""
    with opened(source.path) as document:
        count = len(document)
        check_pages(count)
        titles = _bookmarks(document)
        layers = [_layer(document, index) for index in range(count)]
        texts = [layer.text for layer in layers]
        # A page that is packed so looks like an empty one.
        if not all(texts) and _says(source.path, _BROTLI):
            raise UnsupportedError(_PACKED_WITH_BROTLI)
        if all(text is None for text in texts):
            raise CorruptError("The PDF is damaged: none of its pages can be read.")
        metadata = _metadata(document)
        title = _title(document)
    pages = _pages(texts, titles)
    broken = texts.count(None)
    if not any(page.text for page in pages):
        metadata["text"] = "none"
    if broken:
        metadata["damaged_pages"] = str(broken)
    unread = tuple(index + 1 for index, layer in enumerate(layers) if layer.is_scan)
    return Extraction(pages=pages, title=title, metadata=metadata, unread=unread)


def look_of(document: "PdfDocument", number: int) -> Raster:
    """Return what a page looks like, by its number from 1; CorruptError if it cannot be drawn."""
    from pypdfium2 import PdfiumError

    try:
        page = document[number - 1]
        try:
            return scans.render(page)
        finally:
            page.close()
    except PdfiumError as exc:
        raise CorruptError("The page is damaged and cannot be drawn.") from exc


@dataclass(frozen=True, slots=True)
class _Layer:
    """The text of a page as pdfium gives it; None when the page cannot be loaded."""

    text: str | None
    is_scan: bool = False


@contextmanager
def opened(path: Path) -> Iterator["PdfDocument"]:
    """Give the document; raises EncryptedError, UnsupportedError or CorruptError if it cannot."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as exc:
        if _says(path, _BROTLI):
            # Whatever pdfium takes it for: of what is packed it sees only noise.
            raise UnsupportedError(_PACKED_WITH_BROTLI) from exc
        if exc.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise EncryptedError("The PDF is protected by a password.") from exc
        if exc.err_code == pdfium.FPDF_ERR_SUCCESS and _says(path, _ENCRYPTED):
            # It gives up without a reason where a key has a length that it does not know.
            raise EncryptedError("The PDF is encrypted in a way that is not known here.") from exc
        raise CorruptError("The PDF is damaged and cannot be opened.") from exc
    try:
        yield document
    finally:
        document.close()


def _says(path: Path, name: bytes) -> bool:
    """Whether a name stands in a PDF as it is: those that say how to read it are never packed."""
    if path.stat().st_size == 0:
        return False  # Nothing cannot be mapped.
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(name) != -1


def _layer(document: "PdfDocument", index: int) -> _Layer:
    from pypdfium2 import PdfiumError

    try:
        page = document[index]
    except PdfiumError:
        return _Layer(None)
    try:
        layer = page.get_textpage()
        # Only what is on the page: some programs leave the neighbouring page beside it.
        text = str(layer.get_text_bounded())
        layer.close()
        return _Layer(text, scans.is_scan(page, text))
    except PdfiumError:
        return _Layer(None)
    finally:
        page.close()


def _pages(texts: list[str | None], titles: dict[int, list[str]]) -> tuple[Page, ...]:
    words = {w for text in texts if text for w in _WORD.findall(HYPHENATED.sub(" ", text))}
    pages: list[Page] = []
    for index, raw in enumerate(texts):
        text = clean(join_hyphenated(raw or "", words)).strip()
        pages.append(Page(index + 1, text, _headings(text, titles.get(index, []))))
    return tuple(pages)


def _bookmarks(document: "PdfDocument") -> dict[int, list[str]]:
    """Return the titles of the outline by page index; a broken outline is no outline."""
    from pypdfium2 import PdfiumError

    titles: dict[int, list[str]] = defaultdict(list)
    try:
        for number, mark in enumerate(document.get_toc()):
            if number >= _MAX_BOOKMARKS:
                break
            target = mark.get_dest()
            index = target.get_index() if target else None
            if index is not None:
                titles[index].append(" ".join(clean(mark.get_title()).split()))
    except (PdfiumError, RecursionError, ValueError):
        return {}
    return titles


def _headings(text: str, titles: list[str]) -> tuple[Heading, ...]:
    """Find bookmarks where they stand on the page as a line of their own, or at a line's start."""
    found: dict[int, Heading] = {}
    for title in titles:
        if len(title) < _MIN_BOOKMARK_CHARACTERS:
            continue
        words = r"\s+".join(re.escape(word) for word in title.split())
        match = re.search(rf"^{words}", text, re.MULTILINE | re.IGNORECASE)
        if match:
            found.setdefault(match.start(), Heading(match.start(), title))
    return tuple(found[offset] for offset in sorted(found))


def _metadata(document: "PdfDocument") -> dict[str, str]:
    values = ((ours, _value(document, theirs)) for theirs, ours in _PROPERTIES.items())
    return {name: value for name, value in values if value}


def _value(document: "PdfDocument", key: str) -> str:
    return clean(document.get_metadata_value(key)).strip()[:1000]


def _title(document: "PdfDocument") -> str:
    title = _OFFICE_PREFIX.sub("", _value(document, "Title"))
    return "" if _NO_TITLES.match(title) else title
