"""Read text that is meant to be read as it is: prose, light mark-up and code."""

import re

from processing.extraction import media_types
from processing.extraction.pages import Extraction, Heading, Page, split_pages
from processing.extraction.source import Source
from processing.extraction.text import clean

_MARKDOWN = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_ORG = re.compile(r"^(\*{1,8})[ \t]+(.+)$", re.MULTILINE)
# Markdown and reStructuredText underline a heading; the line is at least as long as three marks.
_UNDERLINED = re.compile(
    r"^(?P<text>[^\s\n][^\n]*)\n(?P<line>([=\-~^\"'`#*+.:_])\3{2,})[ \t]*$", re.MULTILINE
)
_FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_ORG_TITLE = re.compile(r"^#\+TITLE:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)
# Sentence and table rows of `----` also match `_UNDERLINED`; a heading is short.
_MAX_HEADING_CHARACTERS = 200


def read(source: Source) -> Extraction:
    """Read a text; form feeds are page ends, as printers take them."""
    raw = source.read_text()
    parts = [clean(part).rstrip() for part in raw.split("\f")]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    if len(parts) > 1:
        pages = tuple(
            Page(number, text, tuple(_headings(text, source.media_type)))
            for number, text in enumerate(parts, start=1)
        )
    else:
        pages = split_pages(parts[0], _headings(parts[0], source.media_type))
    return Extraction(pages=pages, title=_title(pages, source.media_type))


def _headings(text: str, media_type: str) -> list[Heading]:
    if media_type == media_types.ORG:
        return [Heading(m.start(), m[2].strip()) for m in _ORG.finditer(text)]
    if media_type not in (media_types.MARKDOWN, media_types.RST):
        return []
    found = {m.start(): m["text"].strip() for m in _UNDERLINED.finditer(text) if _is_heading(m)}
    if media_type == media_types.MARKDOWN:
        found |= {m.start(): m[2].strip() for m in _MARKDOWN.finditer(text)}
        code = [m.span() for m in _FENCE.finditer(text)]
        found = {at: t for at, t in found.items() if not any(a <= at < b for a, b in code)}
    return [Heading(offset, found[offset]) for offset in sorted(found)]


def _is_heading(match: re.Match[str]) -> bool:
    text, line = match["text"].strip(), match["line"]
    is_table = "|" in text or line[0] == text[0]
    return len(text) <= _MAX_HEADING_CHARACTERS and len(line) + 2 >= len(text) and not is_table


def _title(pages: tuple[Page, ...], media_type: str) -> str:
    if media_type == media_types.ORG and (named := _ORG_TITLE.search(pages[0].text)):
        return named[1].strip()
    return pages[0].headings[0].text if pages[0].headings else ""
