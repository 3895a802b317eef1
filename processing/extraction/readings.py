"""Recognise pages of a document, as many as the time allows."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from documents.errors import CorruptError, ParseTimeoutError
from processing.extraction import media_types, pictures
from processing.extraction.language import detect_language
from processing.extraction.pages import Page
from processing.extraction.readers import pdf
from processing.extraction.recognition import NOTHING, Raster, Recognised, engine_for

# Nothing smaller holds a letter.
_MIN_SIDE = 12


@dataclass(frozen=True, slots=True)
class Wanted:
    """How pages are to be recognised; no page is begun after `seconds`.

    `before` is what the pages before them begin with: the language is that of all.
    """

    engine: str
    languages: tuple[str, ...]
    seconds: float
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readings:
    """What was recognised by page number, and which pages could not be.

    Pages of neither kind were not tried.
    """

    engine: str = ""
    language: str = ""
    pages: dict[int, Recognised] = field(default_factory=dict)
    failed: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the same in plain JSON types."""
        return {
            "engine": self.engine,
            "language": self.language,
            "pages": [[at, page.text, page.confidence] for at, page in self.pages.items()],
            "failed": list(self.failed),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build readings from what `to_json` returned."""
        return cls(
            engine=data["engine"],
            language=data["language"],
            pages={at: Recognised(text, confidence) for at, text, confidence in data["pages"]},
            failed=tuple(data["failed"]),
        )


def recognise_pages(
    path: Path, media_type: str, numbers: Sequence[int], wanted: Wanted
) -> Readings:
    """Recognise pages in the order of `numbers`, until all are or the time is over.

    Raises UnsupportedError when the wanted engine is not installed, CorruptError or
    TooComplexError when the document cannot be opened.
    """
    engine = engine_for(wanted.engine, wanted.languages)
    pages: dict[int, Recognised] = {}
    failed: list[int] = []
    with _looks(path, media_type) as look_of:
        # Not before: of a document that is slow to open a page is read at least.
        ends_at = time.monotonic() + wanted.seconds
        for number in numbers:
            if time.monotonic() >= ends_at:
                break
            try:
                look = look_of(number)
                pages[number] = engine.recognise(look) if _is_legible(look) else NOTHING
            except (CorruptError, ParseTimeoutError):
                failed.append(number)
    texts = (*wanted.before, *(page.text for page in pages.values()))
    language = detect_language(Page(at, text) for at, text in enumerate(texts, 1))
    return Readings(engine.name, language, pages, tuple(failed))


@contextmanager
def _looks(path: Path, media_type: str) -> Iterator[Callable[[int], Raster]]:
    """Give what tells how a page looks, by its number."""
    if media_type == media_types.PDF:
        with pdf.opened(path) as document:
            yield partial(pdf.look_of, document)
    else:
        yield partial(pictures.raster_of, path, media_type)


def _is_legible(look: Raster) -> bool:
    return min(look.width, look.height) >= _MIN_SIDE
