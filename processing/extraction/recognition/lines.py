"""Words and lines as an engine found them, made into the text of a page."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from processing.extraction.hyphens import HYPHEN, HYPHENATED, join_hyphenated
from processing.extraction.recognition.engine import NOTHING, Recognised
from processing.extraction.text import clean

# Below it a word is more likely wrong than right.
_MIN_WORD = 0.3
_MIN_SIGN = 0.6
# A line of noise has a mean confidence around a third, a line of print above 0.8.
_MIN_LINE = 0.55
_MIN_PAGE = 0.6
_SURE = 0.75
_LETTERS_OR_DIGITS = re.compile(r"[^\W_]")
# Two letters of one kind, or a number: a sure "Il|" or "—_" is no word.
_WORD = re.compile(r"[^\W\d_]{3,}|\d{2,}")
_BROKEN = re.compile(r"[^\W\d_]-$")
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, and how sure of it the engine is, 0 to 1."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Line:
    """The words of a line; `block` and `paragraph` number what it belongs to."""

    words: tuple[Word, ...]
    block: int = 0
    paragraph: int = 0

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Return the mean over the characters, since short words are often noise."""
        return _mean(self.words)


def page_of(lines: Iterable[Line]) -> Recognised:
    """Return the text of lines in reading order, without what is noise.

    A picture of a tree has hundreds of twigs that look like letters to an engine; none
    of it is a word it is sure of.
    """
    kept = [line for line in map(_without_noise, lines) if _is_legible(line)]
    words = [word for line in kept for word in line.words]
    confidence = _mean(words)
    if confidence < _MIN_PAGE or not any(map(_is_sure, words)):
        return NOTHING
    return Recognised(_joined(kept), round(confidence, 3))


def _without_noise(line: Line) -> Line:
    kept = tuple(word for word in line.words if word.confidence >= _least(word))
    return Line(kept, line.block, line.paragraph)


def _least(word: Word) -> float:
    return _MIN_WORD if _LETTERS_OR_DIGITS.search(word.text) else _MIN_SIGN


def _is_legible(line: Line) -> bool:
    visible = line.text.replace(" ", "")
    if not visible or line.confidence < _MIN_LINE:
        return False
    return 2 * len(_LETTERS_OR_DIGITS.findall(visible)) >= len(visible)


def _is_sure(word: Word) -> bool:
    return word.confidence >= _SURE and _WORD.search(word.text) is not None


def _mean(words: Sequence[Word]) -> float:
    weight = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / weight if weight else 0.0


def _joined(lines: Sequence[Line]) -> str:
    """Put the lines below each other, paragraphs apart, and broken words together."""
    parts: list[str] = []
    before: Line | None = None
    for line in lines:
        text = line.text
        if before is not None:
            is_same = (before.block, before.paragraph) == (line.block, line.paragraph)
            if is_same and _BROKEN.search(parts[-1]) and text[0].islower():
                parts[-1] = parts[-1][:-1] + HYPHEN
            else:
                parts.append("\n" if is_same else "\n\n")
        parts.append(text)
        before = line
    text = "".join(parts)
    return clean(join_hyphenated(text, set(_WORDS.findall(HYPHENATED.sub(" ", text))))).strip()
