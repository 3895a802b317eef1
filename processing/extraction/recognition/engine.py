"""What an engine of text recognition is."""

from dataclasses import dataclass
from typing import Protocol

from processing.extraction.recognition.raster import Raster


@dataclass(frozen=True, slots=True)
class Recognised:
    """The text of a page in reading order, and how sure of it the engine is, 0 to 1."""

    text: str
    confidence: float


NOTHING = Recognised("", 0.0)


class Engine(Protocol):
    """Reads pictures of pages."""

    @property
    def name(self) -> str:
        """Return what the engine is called in settings and metadata."""

    def recognise(self, raster: Raster) -> Recognised:
        """Return what is written on the page; nothing for a picture without writing.

        Raises ParseTimeoutError when it takes too long, CorruptError when the engine
        gives up on the page.
        """
