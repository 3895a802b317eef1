"""Which language a text is in, when there is enough of it to tell."""

import re
from collections.abc import Iterable

from processing.extraction.pages import Page

_SAMPLE_CHARACTERS = 4000
_MIN_LETTERS = 60
_MIN_PROBABILITY = 0.9
_LETTER = re.compile(r"[^\W\d_]")


def detect_language(pages: Iterable[Page]) -> str:
    """Return the ISO 639-1 code of the language of the first pages, or "" when unsure."""
    from langdetect import DetectorFactory, LangDetectException, detect_langs

    sample = "\n".join(opening(page.text for page in pages))
    if len(_LETTER.findall(sample)) < _MIN_LETTERS:
        return ""
    # It draws lots; with a fixed seed the same text always has the same language.
    DetectorFactory.seed = 0
    try:
        best = detect_langs(sample)[0]
    except LangDetectException:
        return ""
    return str(best.lang)[:2] if best.prob >= _MIN_PROBABILITY else ""


def opening(texts: Iterable[str]) -> list[str]:
    """Return as much of the first texts as it takes to tell their language."""
    parts: list[str] = []
    length = 0
    for text in texts:
        parts.append(text[: _SAMPLE_CHARACTERS - length])
        length += len(parts[-1])
        if length >= _SAMPLE_CHARACTERS:
            break
    return parts
