"""What reading a document gives: pages of clean text, their headings, and what it says of itself.

Plain JSON types go in and out, because an extraction crosses a process border.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from processing.extraction.text import clean

# A page of a document that has no pages (text, tables, web pages) ends at the first line end
# after this many characters: neither a browser nor a row has to hold 50 MB of log in one piece.
MAX_PAGE_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, `offset` characters into the text of its page."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """The text of one page; `number` counts from 1."""

    number: int
    text: str
    headings: tuple[Heading, ...] = ()


@dataclass(frozen=True, slots=True)
class Extraction:
    """All text of a document by page; `language` is ISO 639-1, or empty when not known.

    `unread` are the numbers of pages that show text which nobody has recognised yet.
    """

    pages: tuple[Page, ...]
    title: str = ""
    language: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    unread: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the same in plain JSON types."""
        return {
            "pages": [
                {
                    "number": page.number,
                    "text": page.text,
                    "headings": [{"offset": h.offset, "text": h.text} for h in page.headings],
                }
                for page in self.pages
            ],
            "title": self.title,
            "language": self.language,
            "metadata": dict(self.metadata),
            "unread": list(self.unread),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build an extraction from what `to_json` returned."""
        pages = tuple(
            Page(
                number=page["number"],
                text=page["text"],
                headings=tuple(Heading(h["offset"], h["text"]) for h in page["headings"]),
            )
            for page in data["pages"]
        )
        return cls(
            pages=pages,
            title=data["title"],
            language=data["language"],
            metadata=dict(data["metadata"]),
            unread=tuple(data.get("unread", ())),
        )


class PageWriter:
    """Puts blocks of text together to pages and keeps count of where the headings are."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self._parts: list[str] = []
        self._length = 0
        self._headings: list[Heading] = []

    def add(self, text: str, *, separator: str = "\n\n") -> None:
        """Append a block; a block of white space only is left out."""
        block = clean(text).strip()
        for start, end in _ranges(block):
            if start:
                self.end_page()
            if part := block[start:end].rstrip():
                self._write(separator if self._length else "")
                self._write(part)

    def add_heading(self, text: str) -> None:
        """Append a heading as one line and note where it is."""
        line = " ".join(clean(text).split())
        if not line:
            return
        if self._length:
            self._write("\n\n")
        self._headings.append(Heading(self._length, line))
        self._write(line)

    def end_page(self) -> None:
        """Close the page, also an empty one: page numbers are those of the document."""
        text = "".join(self._parts)
        self.pages.append(Page(len(self.pages) + 1, text, tuple(self._headings)))
        self._parts, self._headings, self._length = [], [], 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written to the page that is open."""
        return self._length == 0

    @property
    def is_full(self) -> bool:
        """Whether the open page is as long as one of a document without pages may be."""
        return self._length >= MAX_PAGE_CHARACTERS

    def finish(self) -> tuple[Page, ...]:
        """Return the pages; a document has one at least."""
        if not self.is_empty or not self.pages:
            self.end_page()
        return tuple(self.pages)

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)


def split_pages(text: str, headings: Iterable[Heading] = ()) -> tuple[Page, ...]:
    """Cut one long text to pages at line ends, keeping the headings with their page."""
    remaining = sorted(headings, key=lambda heading: heading.offset)
    pages: list[Page] = []
    for start, end in _ranges(text):
        mine = [Heading(h.offset - start, h.text) for h in remaining if start <= h.offset < end]
        remaining = remaining[len(mine) :]
        pages.append(Page(len(pages) + 1, text[start:end].rstrip(), tuple(mine)))
    return tuple(pages)


def _ranges(text: str) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    start = 0
    while len(text) - start > MAX_PAGE_CHARACTERS:
        line_end = text.find("\n", start + MAX_PAGE_CHARACTERS, start + 2 * MAX_PAGE_CHARACTERS)
        # Without a line end in reach the page is cut hard: memory matters more than a word.
        end = line_end + 1 if line_end >= 0 else start + MAX_PAGE_CHARACTERS
        ranges.append((start, end))
        start = end
    ranges.append((start, len(text)))
    return ranges
