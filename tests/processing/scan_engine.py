"""An engine that recognises scans by a clock of its own: the sandbox, faked at its edge."""

from collections.abc import Sequence
from pathlib import Path

from documents.errors import SluiceError
from documents.models import Document
from processing.extraction import Extraction, Page
from processing.extraction.readings import Readings
from processing.extraction.recognition import Recognised
from processing.stage import Held

PAGES = 20
# By the clock of the engine; longer than any test, since rests are by the clock of Postgres.
PAGE_SECONDS = 100
PAGES_A_TURN = 5


class Engine:
    """Reads documents, and scans by a clock of its own on which a page takes long."""

    def __init__(self) -> None:
        self.now = 0.0
        self.parsed: list[str] = []
        self.recognised: list[int] = []
        # Pages that cannot be read, and what happens to who comes to others.
        self.spoilt: set[int] = set()
        self.deadly: dict[int, SluiceError] = {}

    def read(self, path: Path, document: Document, held: Held) -> Extraction:
        self.parsed.append(document.name)
        if not document.name.startswith("scan"):
            return Extraction((Page(1, f"Some words of {document.name}."),))
        numbers = range(1, PAGES + 1)
        return Extraction(tuple(Page(at, "") for at in numbers), unread=tuple(numbers))

    def recognise(
        self,
        path: Path,
        document: Document,
        numbers: Sequence[int],
        seconds: float,
        held: Held,
        before: Sequence[str],
    ) -> Readings:
        pages: dict[int, Recognised] = {}
        ends_at = self.now + seconds
        tried = []
        for number in numbers:
            if self.now >= ends_at:
                break
            self.now += PAGE_SECONDS
            tried.append(number)
            if number in self.deadly:
                raise self.deadly[number]
            if number not in self.spoilt:
                pages[number] = Recognised(f"Words of page {number}.", 0.5 + number / 100)
        self.recognised += tried
        texts = [*before, *(page.text for page in pages.values())]
        # One turn is not enough to tell it by.
        language = "en" if len(texts) > PAGES_A_TURN else ""
        return Readings("fake", language, pages, tuple(self.spoilt & set(tried)))
