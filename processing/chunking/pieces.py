"""Cut a page into pieces no chunk needs to break: sentences, lines, and parts of long ones."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from processing.extraction.pages import Page

CountTokens = Callable[[Sequence[str]], list[int]]


class Break(IntEnum):
    """What stands before a piece; the higher, the better a chunk starts there."""

    WORD = 0
    LINE = 1
    SENTENCE = 2
    PARAGRAPH = 3
    HEADING = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start` to `end` of page `page` (an index), without white space around."""

    page: int
    start: int
    end: int
    before: Break
    tokens: int = 0

    def counted(self, tokens: int) -> "Piece":
        """Return the same piece with its number of tokens."""
        return Piece(self.page, self.start, self.end, self.before, tokens)


# A line end, with the white space after it; or a sentence end: punctuation, perhaps a closing
# quote, and blanks before something that is not a small letter; CJK sentences need no blank.
# Each alternative starts at one fixed character, so that long runs of blanks stay linear.
_BREAK = re.compile(
    r"\n\s*"
    r"|(?:(?<=[.!?…])|(?<=[.!?…][\"'”’»)\]]))[ \t]+(?=[^\sa-zà-ÿ])"
    r"|(?<=[。！？])(?=[^\s。！？])"
)
_BLANK_LINE = re.compile(r"\n\s*\n")
_ENDS = tuple('.!?…:;。！？"”’»)')
# Cells and fields: the line is a row and means something by itself.
_ROW_MARKS = ("\t", "; ")


def pieces_of(pages: Sequence[Page], count_tokens: CountTokens, *, max_tokens: int) -> list[Piece]:
    """Cut all pages at once, so that tokens are counted in few large batches.

    No piece has more than `max_tokens`, except a single character that has.
    """
    pending = [piece for index, page in enumerate(pages) for piece in _cut(index, page)]
    done: list[Piece] = []
    while pending:
        counts = count_tokens([pages[p.page].text[p.start : p.end] for p in pending])
        counted = [p.counted(n) for p, n in zip(pending, counts, strict=True)]
        pending = []
        for piece in counted:
            if piece.tokens <= max_tokens or piece.end - piece.start <= 1:
                done.append(piece)
            else:
                pending += _split(piece, pages[piece.page].text, max_tokens)
    done.sort(key=lambda piece: (piece.page, piece.start))
    return done


def cut_before(text: str, start: int, end: int) -> int:
    """Return where to cut `text[start:end]` in its second half: at a blank if there is one."""
    middle = start + (end - start) // 2
    for at in range(end - 1, middle, -1):
        if text[at].isspace():
            return at
    return end


def _cut(index: int, page: Page) -> list[Piece]:
    text = page.text
    breaks = {0: Break.PARAGRAPH}
    line_start = 0
    for match in _BREAK.finditer(text):
        breaks[match.end()] = _strength(text, match, line_start)
        if match[0].startswith("\n"):
            line_start = match.end()
    for heading in page.headings:
        breaks[heading.offset] = Break.HEADING
    positions = sorted(breaks)
    pieces: list[Piece] = []
    for start, end in zip(positions, [*positions[1:], len(text)], strict=True):
        body = text[start:end]
        stripped = body.strip()
        if stripped:
            first = start + len(body) - len(body.lstrip())
            pieces.append(Piece(index, first, first + len(stripped), breaks[start]))
    return pieces


def _strength(text: str, match: re.Match[str], line_start: int) -> Break:
    if not match[0].startswith("\n"):
        return Break.SENTENCE
    if _BLANK_LINE.match(match[0]):
        return Break.PARAGRAPH
    line = text[line_start : match.start()].rstrip()
    if any(mark in line for mark in _ROW_MARKS):
        return Break.PARAGRAPH
    return Break.SENTENCE if line.endswith(_ENDS) else Break.LINE


def _split(piece: Piece, text: str, max_tokens: int) -> list[Piece]:
    """Split a piece that is too long into parts that should fit, at blanks where there are any."""
    # One more than needed: tokens are not spread evenly over the characters.
    parts = piece.tokens // max_tokens + 2
    size = max((piece.end - piece.start) // parts, 1)
    found: list[Piece] = []
    start, before = piece.start, piece.before
    while start < piece.end:
        end = min(start + size, piece.end)
        if end < piece.end:
            end = max(cut_before(text, start, end), start + 1)
        body = text[start:end]
        stripped = body.strip()
        if stripped:
            first = start + len(body) - len(body.lstrip())
            found.append(Piece(piece.page, first, first + len(stripped), before))
            before = Break.WORD
        start = end
    return found
