"""The order in which a person reads pieces of text that lie somewhere on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

# Pieces on one height are one line while less than so many line heights are between them; the
# space between two columns is hardly wider.
_NEAR = 0.5
# What overlaps in height by this share of the smaller piece is on one line.
_ABREAST = 0.5
# The order compares each three pieces; a page of more is read line by line.
_MAX_PIECES = 400
# A paragraph ends where more than so many line heights are empty.
_PARAGRAPH = 0.9


@dataclass(frozen=True, slots=True)
class Box:
    """Where something is on a page, in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left

    def is_above(self, other: "Box") -> bool:
        """Whether this one ends about where the other begins, or earlier."""
        return (self.top + self.bottom) < (other.top + other.bottom)

    def is_abreast(self, other: "Box") -> bool:
        """Whether the two stand on the same line."""
        shared = min(self.bottom, other.bottom) - max(self.top, other.top)
        return shared > _ABREAST * min(self.height, other.height)

    def shares_column(self, other: "Box") -> bool:
        """Whether a vertical line meets both."""
        return self.left < other.right and other.left < self.right


def in_rows(boxes: Sequence[Box]) -> list[list[int]]:
    """Return the indices of pieces that make up one line of print, from left to right.

    The gap between columns separates, so that no row crosses it.
    """
    rows: list[list[int]] = []
    for index in sorted(range(len(boxes)), key=lambda at: boxes[at].left):
        for row in rows:
            last = boxes[row[-1]]
            gap = boxes[index].left - last.right
            if last.is_abreast(boxes[index]) and gap < _NEAR * min(
                last.height, boxes[index].height
            ):
                row.append(index)
                break
        else:
            rows.append([index])
    return rows


def around(boxes: Sequence[Box]) -> Box:
    """Return the smallest box with all of them inside."""
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def reading_order(rows: Sequence[Box]) -> list[int]:
    """Return the indices of lines in reading order: down a column, then the next.

    Of two lines the upper comes first if they share a column; if not, the left one
    does, unless a line between them spans both columns. (Breuel, High Performance
    Document Layout Analysis, 2003.)
    """
    by_place = sorted(range(len(rows)), key=lambda at: (rows[at].top, rows[at].left))
    if len(rows) > _MAX_PIECES:
        return by_place
    before = {
        at: {other for other in by_place if other != at and _comes_first(rows, other, at)}
        for at in by_place
    }
    order: list[int] = []
    left = list(by_place)
    while left:
        # A circle is broken at the uppermost.
        following = next((at for at in left if not before[at].intersection(left)), left[0])
        order.append(following)
        left.remove(following)
    return order


def _comes_first(rows: Sequence[Box], one: int, other: int) -> bool:
    first, second = rows[one], rows[other]
    if first.shares_column(second) and not first.is_abreast(second):
        return first.is_above(second)
    if first.left >= second.left:
        return False
    upper, lower = sorted((first, second), key=lambda box: box.top)
    return not any(
        upper.is_above(between)
        and between.is_above(lower)
        and between.shares_column(first)
        and between.shares_column(second)
        for between in rows
    )


def paragraphs(rows: Sequence[Box]) -> list[int]:
    """Number the paragraphs of lines that are in reading order, from 0."""
    if not rows:
        return []
    usual = median(box.height for box in rows)
    numbers = [0]
    for before, after in pairwise(rows):
        gap = after.top - before.bottom
        is_new = gap > _PARAGRAPH * usual or gap < -usual or not before.shares_column(after)
        numbers.append(numbers[-1] + is_new)
    return numbers
