"""What the kinds of archives have in common: entries, and a budget for unpacking them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from documents.errors import TooComplexError

# Small archives may unpack to as much as they like.
RATIO_FREE_BYTES = 64 * 1024**2


class Readable(Protocol):
    """What is needed of a stream."""

    def read(self, n: int, /) -> bytes:
        """Return at most n bytes; none at the end."""
        ...


class MemberError(Exception):
    """One member cannot become a document; the message is the sentence that says why."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """How much may be in an archive; `ratio` is bytes unpacked for each byte packed."""

    entries: int
    total_bytes: int
    member_bytes: int
    ratio: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an archive; what it says of itself, and how to read it.

    `is_decoration` tells what nobody means as a document, such as the logo of a letterhead;
    `damage` are the errors of a broken entry that leave the ones after it readable.
    """

    number: int
    name: str
    open: Callable[[], AbstractContextManager[Readable]]
    is_folder: bool = False
    is_locked: bool = False
    is_decoration: bool = False
    trouble: str = ""
    damage: tuple[type[Exception], ...] = ()


class Budget:
    """Counts what an archive gives, while it gives it. Raises TooComplexError beyond."""

    def __init__(self, allowed: Allowed, packed_bytes: int) -> None:
        self._allowed = allowed
        self._most_by_ratio = max(RATIO_FREE_BYTES, allowed.ratio * packed_bytes)
        self._inflated = 0

    def count(self, n_entries: int) -> None:
        """Refuse an archive of this many entries if that is too many."""
        if n_entries > self._allowed.entries:
            raise TooComplexError(
                f"The archive has more than {self._allowed.entries:,} entries, which is the limit."
            )

    def spend(self, n_bytes: int) -> None:
        """Count bytes that were inflated."""
        self._inflated += n_bytes
        if self._inflated > self._allowed.total_bytes:
            most = self._allowed.total_bytes
            raise TooComplexError(f"The archive unpacks to more than {most // 1024**2} MiB.")
        if self._inflated > self._most_by_ratio:
            raise TooComplexError("The archive unpacks to far more than it holds.")


class Counted:
    """A stream that spends from a budget what is read from it."""

    def __init__(self, stream: Readable, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, n: int, /) -> bytes:
        """Return at most n bytes; none at the end."""
        block = self._stream.read(n)
        self._budget.spend(len(block))
        return block
