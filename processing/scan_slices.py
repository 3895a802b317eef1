"""How far the recognition of a scan is: kept when it steps aside for others, and gone on with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Self

from django.conf import settings

from documents.models import Document
from processing.extraction.language import opening
from processing.extraction.readings import Readings
from processing.models import ScanSlice

# So many cost one start of the engine.
PAGES_AT_ONCE = 8


@dataclass(slots=True)
class Scan:
    """The pages of a document that only show their text: what is read of them, what is left."""

    # Pages that nobody has looked at, those in one list to be tried in one child. Kept as such:
    # what ended its reader in one turn is tried alone in the next, and not together once more.
    unread: list[list[int]]
    seconds: float = 0.0
    earlier: Readings = field(default_factory=Readings)
    fresh: Readings = field(default_factory=Readings)

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Self:
        """Return a scan of which nothing is read; it will be as far as OCR_MAX_PAGES allows."""
        wanted = list(numbers[: settings.OCR_MAX_PAGES])
        return cls([wanted[at : at + PAGES_AT_ONCE] for at in range(0, len(wanted), PAGES_AT_ONCE)])

    @classmethod
    def begun(cls, document: Document) -> Self | None:
        """Return the scan that earlier turns left of this generation, if they did."""
        own = {"document_id": document.id, "generation": document.generation}
        slices = list(ScanSlice.objects.filter(**own).order_by("id"))
        if not slices:
            return None
        readings = (Readings.from_json(each.readings) for each in slices)
        last = slices[-1]
        return cls(last.unread, last.seconds, reduce(_together, readings))

    @property
    def found(self) -> Readings:
        """Return what all turns have read."""
        return _together(self.earlier, self.fresh)

    @property
    def first_words(self) -> list[str]:
        """Return what the text read so far begins with, which tells the language of all of it."""
        return opening(page.text for page in self.found.pages.values())

    @property
    def goes_on(self) -> bool:
        """Whether there are both pages to be read and time for them."""
        return bool(self.unread) and self.seconds < settings.OCR_MAX_SECONDS

    def take(self, readings: Readings) -> None:
        """Note what came of the first of the unread pages; those not tried stay the first."""
        tried = {*readings.pages, *readings.failed}
        left = [number for number in self.unread[0] if number not in tried]
        self.unread[:1] = [left] if left else []
        self.fresh = _together(self.fresh, readings)

    def separate(self) -> None:
        """Have the first of the unread pages tried alone: one of them ends who reads it."""
        self.unread[:1] = [[number] for number in self.unread[0]]

    def keep(self, document: Document) -> None:
        """Write what this turn has read for the next one, which is to belong to this document."""
        ScanSlice.objects.create(
            workspace_id=document.workspace_id,
            document=document,
            generation=document.generation,
            seconds=self.seconds,
            readings=self.fresh.to_json(),
            unread=self.unread,
        )


def _together(one: Readings, other: Readings) -> Readings:
    return Readings(
        engine=other.engine or one.engine,
        # It was told from what both begin with.
        language=other.language if other.pages else one.language,
        pages=one.pages | other.pages,
        failed=one.failed + other.failed,
    )
