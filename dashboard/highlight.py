"""Mark the words of a question in a text, as safe HTML."""

import re

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

_OTHER_TAGS = re.compile(r"<(?!/?mark>)")
_WORDS = re.compile(r"\w+")
_ENDINGS = re.compile(r"(?:ations?|ings?|ments?|ness|edly|ed|ies|es|ly|s)$")
_SHORTEST_STEM = 3
# Common words would light up the whole page.
_COMMON = frozenset(
    _WORDS.findall(
        "a an and are as at be by did do does for from had has have how i if in is it its "
        "me my not of on or our that the their them there these they this to was we were "
        "what when where which who why will with you your"
    )
)


def mark_snippet(snippet: str) -> SafeString:
    """Return the safe HTML of a snippet, in which search left no tag but <mark>.

    Any other tag would be a fault over there; it is shown here, never obeyed.
    """
    return mark_safe(_OTHER_TAGS.sub("&lt;", snippet))  # noqa: S308  # no other tag is left


def mark_terms(text: str, query: str) -> SafeString:
    """Escape `text` and mark the words in it that share a stem with a word of `query`."""
    stems = sorted(_stems(query), key=len, reverse=True)
    if not stems:
        return escape(text)
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, stems))})\w*", re.IGNORECASE)
    parts, at = [], 0
    for found in pattern.finditer(text):
        parts += [escape(text[at : found.start()]), f"<mark>{escape(found[0])}</mark>"]
        at = found.end()
    return mark_safe("".join([*parts, escape(text[at:])]))  # noqa: S308  # each part is escaped


def _stems(query: str) -> set[str]:
    words = {word for word in _WORDS.findall(query.lower()) if word not in _COMMON}
    return {_stem(word) for word in words if len(word) > 1}


def _stem(word: str) -> str:
    stem = _ENDINGS.sub("", word)
    return stem if len(stem) >= _SHORTEST_STEM else word
