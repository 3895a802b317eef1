"""Notice documents that come into folders of this machine, and bring them into a batch.

By looking, again and again: no notification of a system works over every network share. What
was taken is known by this process only; another one finds it in the batch, by its bytes.
"""

from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from documents.errors import (
    HashMismatchError,
    ObjectMissingError,
    QuotaExceededError,
    SizeMismatchError,
    UnreadableError,
)
from documents.folders import Entry, Found, LeftOut, Refused, walk
from documents.models import Batch
from documents.services import intake
from documents.services.delivery import Taken

# Whoever writes a document writes more often than this.
SETTLE_SECONDS = 3.0
AGAIN_SECONDS = 60.0
# What browsers and transfers call what is not complete yet, even while it stands still.
PARTIAL_SUFFIXES = frozenset({".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp"})
# These may have another answer later, although the document stays as it is.
PASSING = (
    *(HashMismatchError, SizeMismatchError, UnreadableError),
    *(ObjectMissingError, QuotaExceededError),
)


@dataclass(frozen=True, slots=True)
class Sight:
    """How a document looked, since when, and whether it was dealt with as it is."""

    size: int
    changed_ns: int
    since: float
    is_taken: bool = False


class Watch:
    """Knows what is in some folders, and what of it has stopped changing."""

    def __init__(self, roots: Sequence[Path], settle_seconds: float = SETTLE_SECONDS) -> None:
        self._roots = roots
        self._settle_seconds = settle_seconds
        self._seen: dict[Path, Sight] = {}
        self._told: set[tuple[str, str]] = set()

    def look(self, at: float) -> list[Entry]:
        """Return what is to be dealt with: settled documents, and what was never told before.

        `at` is now in seconds of a clock that only goes forward. A document that was not
        taken, or that changed since, is returned again.
        """
        seen: dict[Path, Sight] = {}
        told: set[tuple[str, str]] = set()
        fresh: list[Entry] = []
        for entry in walk(self._roots):
            if not isinstance(entry, Found):
                said = (entry.path, entry.error.code if isinstance(entry, Refused) else "")
                fresh += [] if said in self._told else [entry]
                told.add(said)
            elif entry.source.suffix.lower() not in PARTIAL_SUFFIXES:
                sight = seen[entry.source] = self._sight(entry, at)
                if not sight.is_taken and at - sight.since >= self._settle_seconds:
                    fresh.append(entry)
        # What is gone is forgotten, so that it is new when it comes back.
        self._seen, self._told = seen, told
        return fresh

    def take(self, found: Found) -> None:
        """Leave a document alone until it changes."""
        self._update(found, is_taken=True)

    def postpone(self, found: Found, at: float) -> None:
        """Return a document again in a while, or as soon as it changes."""
        self._update(found, since=at + AGAIN_SECONDS - self._settle_seconds)

    def _sight(self, found: Found, at: float) -> Sight:
        known = self._seen.get(found.source)
        if known and (known.size, known.changed_ns) == (found.size, found.changed_ns):
            return known
        return Sight(found.size, found.changed_ns, since=at)

    def _update(self, found: Found, **changes: float | bool) -> None:
        known = self._seen.get(found.source)
        if known is not None:
            self._seen[found.source] = replace(known, **changes)  # type: ignore[arg-type]


def send_settled(batch: Batch, watch: Watch, at: float) -> Generator[Taken | Refused | LeftOut]:
    """Bring in what has settled; yield what became of it, and what cannot come in.

    May be stopped anywhere: what was not taken is looked at again. Raises like `intake.send`.
    """
    settled: list[Found] = []
    for entry in watch.look(at):
        if isinstance(entry, Found):
            settled.append(entry)
        else:
            yield entry
    # Two folders of one name have equal paths.
    by_path: dict[str, list[Found]] = defaultdict(list)
    for found in settled:
        by_path[found.path].append(found)
    for outcome in intake.send(batch, settled):
        passing = isinstance(outcome, Refused) and isinstance(outcome.error, PASSING)
        for found in by_path[outcome.path]:
            if passing:
                watch.postpone(found, at)
            else:
                watch.take(found)
        yield outcome
