"""What is known of a document beside its text: images are found by it."""

import re
from datetime import date

from documents.models import Document
from processing.chunking import ChunkSpan
from processing.extraction import Extraction, media_types

MAX_CHARACTERS = 1_000
# "IMG_2041-greyHeron" has three words and a number.
_SEPARATOR = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def with_description(
    spans: list[ChunkSpan], document: Document, extraction: Extraction
) -> list[ChunkSpan]:
    """Return the chunks with one for the document as a whole, where it may need it.

    Every image has one, since its name is often all that says what it shows; a PDF has one
    if there is no text in it. It stands on the first page and for no part of its text.
    """
    is_scan = document.content_type == media_types.PDF and not spans
    if not is_scan and document.content_type not in media_types.IMAGES:
        return spans
    text = describe(document, extraction)
    return [*spans, ChunkSpan(len(spans), page=1, start=0, end=0, text=text, heading="")]


def describe(document: Document, extraction: Extraction) -> str:
    """Return name, title, folder and facts of a document, as words that can be found."""
    stem, dot, suffix = document.name.rpartition(".")
    words = " ".join(
        _words(part) for part in (*document.folder.split("/"), stem if dot else suffix)
    )
    lines = [document.name, words.strip(), extraction.title, _facts(extraction.metadata)]
    return "\n".join(dict.fromkeys(line for line in lines if line))[:MAX_CHARACTERS]


def _words(part: str) -> str:
    return " ".join(filter(None, _SEPARATOR.split(part)))


def _facts(metadata: dict[str, str]) -> str:
    facts = []
    if "width" in metadata:
        facts.append(f"Image, {metadata['width']} × {metadata['height']}")
    if taken := metadata.get("taken"):
        day = date.fromisoformat(taken[:10])
        facts.append(f"taken {day.day} {day:%B %Y} ({day})")
    if camera := metadata.get("camera"):
        facts.append(camera)
    return ", ".join(facts)
