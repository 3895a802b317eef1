"""Find the spaces between words that a model for Chinese leaves out, in the picture itself."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Shares of the height of a line: a space is wider than the one, a gap between letters is
# narrower than the other, and what is between is told by the widest step.
_SURELY_NONE, _SURELY_ONE = 0.10, 0.30
_USUAL = 0.17
# A letter is darker than the paper by at least this share of what is darkest in the line.
_INK = 0.35
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%’”'")
# Chinese and Japanese, and their wide signs, are written without; Korean is not.
_IDEOGRAPHS = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def with_spaces(
    line: "NDArray[np.uint8]", characters: Sequence[str], centres: Sequence[float]
) -> str:
    """Return the characters with a space wherever the line is empty for long enough.

    `line` is its picture (height, width), `centres` are where the characters are in it,
    in pixels from the left; both lists are of the same length.
    """
    runs = _gaps(line, centres)
    least = _threshold(runs, line.shape[0])
    parts = list(characters[:1])
    for before, after, gap in zip(characters, characters[1:], runs, strict=False):
        if gap >= least and _takes_space(before, after):
            parts.append(" ")
        parts.append(after)
    return "".join(parts)


def _gaps(line: "NDArray[np.uint8]", centres: Sequence[float]) -> list[int]:
    """Return the widest run of empty columns between each character and the next."""
    empty = _empty_columns(line)
    gaps = []
    for left, right in pairwise(centres):
        widest = run = 0
        for is_empty in empty[int(left) : int(right) + 1]:
            run = run + 1 if is_empty else 0
            widest = max(widest, run)
        gaps.append(widest)
    return gaps


def _empty_columns(line: "NDArray[np.uint8]") -> list[bool]:
    import numpy as np

    paper = float(np.median(line))
    # Light on dark is read as well.
    distance = np.abs(line.astype(np.float32) - paper)
    ink = _INK * float(distance.max())
    return [bool(one) for one in (distance < max(ink, 1.0)).all(axis=0)]


def _threshold(gaps: Sequence[int], height: int) -> float:
    """Return from which width on a gap is a space: in the widest step of those in doubt."""
    low, high = _SURELY_NONE * height, _SURELY_ONE * height
    doubtful = sorted({gap for gap in gaps if low <= gap <= high} | {low, high})
    steps = [(after - before, (before + after) / 2) for before, after in pairwise(doubtful)]
    widest, middle = max(steps)
    return middle if widest > _SURELY_NONE * height else _USUAL * height


def _takes_space(before: str, after: str) -> bool:
    if before.isspace() or after.isspace() or after in _NO_SPACE_BEFORE:
        return False
    return not _IDEOGRAPHS.search(before + after)
