"""Show where a chunk matches: its page and a short piece of its text as safe HTML."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.html import escape

from processing.search.keyword import tsquery

MAX_CHARACTERS = 240

# Control characters stand for marks, and for markup that `ts_headline` would otherwise drop as
# tags. They are taken out of the text first, so whatever remains of them is ours.
_LESS, _START, _STOP = "\x01", "\x02", "\x03"
_SELECT = """
select c.id, c.page, ts_headline(
  'english', translate(c.text, '<' || %s, %s), %s::tsquery, %s
)
from processing_chunk c where c.id = any(%s)
"""
_OPTIONS = f"StartSel={_START}, StopSel={_STOP}, MaxWords=40, MinWords=25, ShortWord=2"
_PARTS = re.compile(f"({_START}|{_STOP})")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A page and, as safe HTML, what on it matches."""

    page: int
    html: str


def snippets_of(chunk_ids: Sequence[int], lexemes: Sequence[str]) -> dict[int, Snippet]:
    """Return a snippet for each chunk; without a match it is the beginning of the text."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SELECT, [_START + _STOP, _LESS, tsquery(lexemes), _OPTIONS, list(chunk_ids)]
        )
        return {chunk: Snippet(page, as_html(found)) for chunk, page, found in cursor.fetchall()}


def as_html(headline: str) -> str:
    """Return a headline escaped and cut, with <mark> for our marks and nothing else."""
    parts: list[str] = []
    left, is_marked = MAX_CHARACTERS, False
    for part in _PARTS.split(" ".join(headline.replace(_LESS, "<").split())):
        if part in (_START, _STOP):
            is_marked = part == _START
            continue
        text = part[:left]
        left -= len(text)
        if text:
            parts.append(f"<mark>{escape(text)}</mark>" if is_marked else escape(text))
        if len(text) < len(part):
            parts.append("…")
            break
    return "".join(parts)
