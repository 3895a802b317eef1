"""What a reader is given: where the bytes are, what they are and what the document is called."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from processing.extraction.limits import check_text_bytes
from processing.extraction.pages import Extraction
from processing.extraction.text import decode


@dataclass(frozen=True, slots=True)
class Source:
    """A document on disk; `media_type` is what `detect` found."""

    path: Path
    media_type: str
    name: str

    def read_bytes(self) -> bytes:
        """Return the bytes of a textual document; TooComplexError when there are too many."""
        check_text_bytes(self.path.stat().st_size)
        return self.path.read_bytes()

    def read_text(self) -> str:
        """Return the decoded text of a textual document, not cleaned yet."""
        return decode(self.read_bytes())


Reader = Callable[[Source], Extraction]
