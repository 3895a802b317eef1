"""Read the text layer of PDF documents, page by page, with pdfium."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from documents.errors import CorruptError, EncryptedError
from processing.extraction.limits import check_pages
from processing.extraction.pages import Extraction, Heading, Page
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
# pdfium writes U+0002 or U+FFFE for a hyphen at the end of a line, and joins the lines.
_HYPHENATED = re.compile("(\\w*)[\x02\ufffe](?:\r?\n)?(\\w*)")
_WORD = re.compile(r"\w+")
_NO_TITLES = re.compile(r"^(untitled.*|.*\.(docx?|indd|qxd|xlsx?|pptx?|tex|dvi))$", re.IGNORECASE)
_OFFICE_PREFIX = re.compile(r"^Microsoft (Word|PowerPoint|Excel) - ")
_MAX_BOOKMARKS = 5000
_MIN_BOOKMARK_CHARACTERS = 3


def read(source: Source) -> Extraction:
    """Read a PDF; pages without a text layer are empty, and metadata says when all are."""
    with _opened(source) as document:
        count = len(document)
        check_pages(count)
        titles = _bookmarks(document)
        texts = [_text(document, index) for index in range(count)]
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
    return Extraction(pages=pages, title=title, metadata=metadata)


@contextmanager
def _opened(source: Source) -> Iterator["PdfDocument"]:
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        document = pypdfium2.PdfDocument(source.path)
    except pypdfium2.PdfiumError as exc:
        if exc.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise EncryptedError("The PDF is protected by a password.") from exc
        raise CorruptError("The PDF is damaged and cannot be opened.") from exc
    try:
        yield document
    finally:
        document.close()


def _text(document: "PdfDocument", index: int) -> str | None:
    """Return the text of a page as pdfium gives it, or None when the page cannot be loaded."""
    from pypdfium2 import PdfiumError

    try:
        page = document[index]
    except PdfiumError:
        return None
    try:
        layer = page.get_textpage()
        # Only what is on the page: some programs leave the neighbouring page beside it.
        text = str(layer.get_text_bounded())
        layer.close()
    except PdfiumError:
        return None
    finally:
        page.close()
    return text


def _pages(texts: list[str | None], titles: dict[int, list[str]]) -> tuple[Page, ...]:
    words = {w for text in texts if text for w in _WORD.findall(_HYPHENATED.sub(" ", text))}
    pages: list[Page] = []
    for index, raw in enumerate(texts):
        text = clean(_joined(raw or "", words)).strip()
        pages.append(Page(index + 1, text, _headings(text, titles.get(index, []))))
    return tuple(pages)


def _joined(text: str, words: set[str]) -> str:
    """Join words that were broken at line ends, but keep the hyphen of compounds.

    A compound is told by its halves: in "hormone-blocking" both are words that the
    document uses by themselves, in "detec-tion" they are not.
    """

    def join(match: re.Match[str]) -> str:
        first, second = match.groups()
        is_compound = first + second not in words and first in words and second in words
        return f"{first}-{second}" if is_compound else first + second

    return _HYPHENATED.sub(join, text)


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
