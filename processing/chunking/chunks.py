"""Pack the pieces of a page into chunks of about the same length, with a little overlap."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from processing.chunking.pieces import Break, CountTokens, Piece, cut_before, pieces_of
from processing.extraction.pages import Page

# A piece is at most half of the target, so that chunks can come near to it.
_PIECE_SHARE = 2
# A better place to cut is looked for in the second half of a chunk.
_MIN_FILL = 0.5


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """A span of a page; `text` is the page's text from `start` to `end`.

    `page` is the page number, `heading` the one the span stands under, also when
    that is on an earlier page.
    """

    ordinal: int
    page: int
    start: int
    end: int
    text: str
    heading: str


@dataclass(frozen=True, slots=True)
class _Span:
    """A chunk in the making; from `start` to `own` it repeats the end of the one before.

    It has at most `bound` tokens: pieces are cut at white space, so that together
    they count no more than each by itself and the bytes between them.
    """

    page: int
    start: int
    own: int
    end: int
    bound: int


def chunk(
    pages: Sequence[Page],
    count_tokens: CountTokens,
    *,
    target_tokens: int = 200,
    overlap_tokens: int = 30,
    max_tokens: int = 250,
) -> list[ChunkSpan]:
    """Cut pages to chunks of about `target_tokens`, none above `max_tokens`.

    A chunk never leaves its page, and a heading begins a new one. Otherwise it is
    cut at the best place near its end: a paragraph, a sentence or row, a line, a
    word. Within a section a chunk repeats up to `overlap_tokens` of the one before.
    `count_tokens` is called with all texts of a pass at once.
    """
    if not 0 <= overlap_tokens < target_tokens <= max_tokens:
        raise ValueError("0 <= overlap_tokens < target_tokens <= max_tokens does not hold")
    limit = max(min(target_tokens // _PIECE_SHARE, max_tokens - overlap_tokens), 1)
    pieces = pieces_of(pages, count_tokens, max_tokens=limit)
    spans: list[_Span] = []
    for section in _sections(pieces):
        packer = _Packer(pages[section[0].page].text, target_tokens, overlap_tokens, max_tokens)
        spans += packer.pack(section)
    return _named(pages, _within(pages, spans, count_tokens, max_tokens))


def _sections(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces of one page and one heading at a time; headings in a row stay together."""
    for _, on_page in groupby(pieces, key=lambda piece: piece.page):
        section: list[Piece] = []
        is_body = False
        for piece in on_page:
            if piece.before is Break.HEADING and is_body:
                yield section
                section, is_body = [], False
            section.append(piece)
            is_body |= piece.before is not Break.HEADING
        yield section


class _Packer:
    """Packs the pieces of one section."""

    def __init__(self, text: str, target: int, overlap: int, limit: int) -> None:
        self._text = text
        self._target = target
        self._overlap = overlap
        self._limit = limit

    def pack(self, pieces: Sequence[Piece]) -> Iterator[_Span]:
        first = repeats = 0
        remaining = sum(piece.tokens for piece in pieces)
        start, repeated = pieces[0].start, 0
        while first < len(pieces):
            # What would be left over as a crumb goes along, as long as it fits.
            if repeated + remaining <= self._limit:
                last = len(pieces)
            else:
                last = self._cut(pieces, first, repeated)
            bound = self._bound(pieces, repeats, last)
            yield _Span(pieces[0].page, start, pieces[first].start, pieces[last - 1].end, bound)
            remaining -= sum(piece.tokens for piece in pieces[first:last])
            if last < len(pieces):
                repeats, start, repeated = self._overlap_before(pieces, first, last)
            first = last

    def _bound(self, pieces: Sequence[Piece], first: int, last: int) -> int:
        total = sum(piece.tokens for piece in pieces[first:last])
        for before, after in pairwise(pieces[first:last]):
            total += len(self._text[before.end : after.start].encode())
        return total

    def _cut(self, pieces: Sequence[Piece], first: int, repeated: int) -> int:
        """Return the index of the piece that begins the next chunk."""
        total = repeated
        best, best_break = first + 1, Break.WORD
        for index in range(first, len(pieces)):
            if index > first and total >= self._target * _MIN_FILL:
                before = pieces[index].before
                if before >= best_break:
                    best, best_break = index, before
            elif index > first:
                best = index
            total += pieces[index].tokens
            if total > self._target and index > first:
                return best
        return len(pieces)

    def _overlap_before(
        self, pieces: Sequence[Piece], first: int, last: int
    ) -> tuple[int, int, int]:
        """Return the piece and the offset from which the next chunk repeats, and its tokens."""
        total, at = 0, last
        best, best_total = last, 0
        while at - 1 > first and total + pieces[at - 1].tokens <= self._overlap:
            at -= 1
            total += pieces[at].tokens
            # The best place to begin counts for more than the length: half a row says nothing.
            if best == last or pieces[at].before >= pieces[best].before:
                best, best_total = at, total
        if best < last or not self._overlap:
            return best, pieces[best].start, best_total
        return self._tail(pieces, last)

    def _tail(self, pieces: Sequence[Piece], last: int) -> tuple[int, int, int]:
        """Repeat the last words of a piece that is too long to be repeated whole."""
        piece = pieces[last - 1]
        length = piece.end - piece.start
        share = min(self._overlap / max(piece.tokens, 1), 0.5)
        at = piece.end - int(length * share)
        while at < piece.end and not self._begins_word(at):
            at += 1
        if at == piece.end:
            return last, pieces[last].start, 0
        return last - 1, at, int(piece.tokens * share)

    def _begins_word(self, at: int) -> bool:
        return self._text[at - 1].isspace() and not self._text[at].isspace()


def _within(
    pages: Sequence[Page], spans: list[_Span], count_tokens: CountTokens, max_tokens: int
) -> list[_Span]:
    """Count the spans that may be too long, and cut those that are."""
    done = [span for span in spans if span.bound <= max_tokens]
    pending = [span for span in spans if span.bound > max_tokens]
    while pending:
        counts = count_tokens([pages[span.page].text[span.start : span.end] for span in pending])
        too_long: list[_Span] = []
        for span, tokens in zip(pending, counts, strict=True):
            if tokens <= max_tokens or span.end - span.start <= 1:
                done.append(span)
            else:
                too_long.append(span)
        pending = [part for span in too_long for part in _shorter(pages[span.page].text, span)]
    done.sort(key=lambda span: (span.page, span.own))
    return done


def _shorter(text: str, span: _Span) -> list[_Span]:
    """Drop the overlap first; a span without one is cut in two."""
    if span.start < span.own:
        return [replace(span, start=span.own)]
    length = span.end - span.start
    cut = min(cut_before(text, span.start, span.start + length * 3 // 4), span.end - 1)
    cut = max(cut, span.start + 1)
    halves = (_trimmed(text, span.page, *half) for half in ((span.start, cut), (cut, span.end)))
    return [half for half in halves if half.start < half.end]


def _trimmed(text: str, page: int, start: int, end: int) -> _Span:
    body = text[start:end]
    start += len(body) - len(body.lstrip())
    return _Span(page, start, start, start + len(body.strip()), 0)


def _named(pages: Sequence[Page], spans: Sequence[_Span]) -> list[ChunkSpan]:
    """Give each span its number, its text and the heading it stands under."""
    carried = _carried_headings(pages)
    named: list[ChunkSpan] = []
    for ordinal, span in enumerate(spans):
        page = pages[span.page]
        # A span holds headings only at its beginning, so the last one before its end is its own.
        count = bisect_left(page.headings, span.end, key=lambda heading: heading.offset)
        heading = page.headings[count - 1].text if count else carried[span.page]
        text = page.text[span.start : span.end]
        named.append(ChunkSpan(ordinal, page.number, span.start, span.end, text, heading))
    return named


def _carried_headings(pages: Sequence[Page]) -> list[str]:
    """Return for each page the heading that is still valid where it begins."""
    carried: list[str] = []
    current = ""
    for page in pages:
        carried.append(current)
        if page.headings:
            current = page.headings[-1].text
    return carried
