"""Recognise text with RapidOCR, whose models come with its package (PP-OCRv4, Apache-2.0)."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from processing.extraction.recognition.boxes import (
    Box,
    around,
    in_rows,
    paragraphs,
    reading_order,
)
from processing.extraction.recognition.engine import NOTHING, Recognised
from processing.extraction.recognition.lines import Line, Word, page_of
from processing.extraction.recognition.raster import Raster
from processing.extraction.recognition.spaces import with_spaces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Each child has one core, and a pool of threads would not survive its end in time.
_THREADS = 1
# The model turns a piece this much higher than wide before it reads it.
_UPRIGHT = 1.5
# The same lines are read as well from a page that stands as from one that lies.
_MUCH = 0.9


class Rapid:
    """Finds lines, then reads each; the models are loaded once for an engine."""

    name = "rapidocr"

    def __init__(self) -> None:
        from rapidocr_onnxruntime import RapidOCR

        logging.getLogger("RapidOCR").setLevel(logging.WARNING)
        self._model = RapidOCR(intra_op_num_threads=_THREADS, inter_op_num_threads=_THREADS)
        self._lines = self._model.text_cls = _Lines(self._model.text_cls)

    def recognise(self, raster: Raster) -> Recognised:
        """Return the text, column by column; of a page that lies turned, once it stands."""
        found = self._find(raster)
        turns = self._turns(found)
        if turns:
            upright = raster.turned(turns)
            again = self._find(upright)
            # Writing that runs from top to bottom looks turned as well, and reads worse then.
            if _score(again) >= _MUCH * _score(found):
                raster, found = upright, again
        return _page(raster, found)

    def _find(self, raster: Raster) -> list[list[Any]]:
        import numpy as np

        found, _ = self._model(np.stack([raster.as_array()] * 3, axis=-1), return_word_box=True)
        return found or []

    def _turns(self, found: list[list[Any]]) -> int:
        """Return how often the page must be turned to the left, by its last pieces."""
        boxes = [_box(each[0]) for each in found]
        high = sum(box.height > _UPRIGHT * box.width for box in boxes)
        return (2 * high > len(boxes)) + 2 * self._lines.are_upside_down


class _Lines:
    """What tells whether a line stands on its head, and whether most of the last page did."""

    def __init__(self, classify: Callable[[Any], Any]) -> None:
        self._classify = classify
        self.are_upside_down = False

    def __call__(self, pieces: Any) -> Any:
        turned, verdicts, seconds = self._classify(pieces)
        heads = sum("180" in label for label, _ in verdicts)
        self.are_upside_down = 2 * heads > len(verdicts)
        return turned, verdicts, seconds


def _page(raster: Raster, found: list[list[Any]]) -> Recognised:
    if not found:
        return NOTHING
    grey = raster.as_array()
    pieces = [_box(each[0]) for each in found]
    texts = [_text(grey, piece, each) for piece, each in zip(pieces, found, strict=True)]
    scores = [float(each[2]) for each in found]
    rows = in_rows(pieces)
    places = [around([pieces[at] for at in row]) for row in rows]
    order = reading_order(places)
    numbers = paragraphs([places[at] for at in order])
    return page_of(
        Line(_words([(texts[at], scores[at]) for at in rows[index]]), 0, number)
        for index, number in zip(order, numbers, strict=True)
    )


def _score(found: list[list[Any]]) -> float:
    """Return how much was read, and how surely."""
    return sum(float(each[2]) * len(each[1]) for each in found)


def _words(pieces: list[tuple[str, float]]) -> tuple[Word, ...]:
    return tuple(Word(word, score) for text, score in pieces for word in text.split())


def _box(corners: list[list[float]]) -> Box:
    xs, ys = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))


def _text(grey: "NDArray[np.uint8]", box: Box, found: list[Any]) -> str:
    """Return the text of a piece with the spaces that are in the picture.

    `found` is what the model tells: corners, text, score, and for each character its
    corners and itself.
    """
    _, text, _, corners, characters, *_ = found
    places = sorted(sum(x for x, _ in each) / len(each) for each in corners)
    if len(places) != len(characters) or "".join(characters) != text:
        return str(text)
    line = grey[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1]
    if line.shape[0] > line.shape[1]:
        # Written from top to bottom: its gaps are rows.
        return str(text)
    return with_spaces(line, characters, [place - box.left for place in places])
