"""What was asked: checked, and taken apart into words and phrases."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from documents.errors import InvalidError
from processing.search.wanted import Wanted, wanted

MAX_QUESTION = 1000
MAX_FOLDER = 1024
MAX_TYPES = 1000
MAX_LIMIT = 100

_PHRASE = re.compile(r'"([^"]*\w[^"]*)"')


class Mode(StrEnum):
    HYBRID = "hybrid"
    KEYWORD = "keyword"
    SEMANTIC = "semantic"


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose every part is in bounds; `phrases` must occur as they stand."""

    text: str
    mode: Mode
    folder: str
    content_type: str
    limit: int
    phrases: tuple[str, ...]
    entities: tuple[Wanted, ...] = ()


def ask(
    text: str,
    *,
    mode: str,
    folder: str,
    content_type: str,
    limit: int,
    entities: Sequence[str] = (),
) -> Question:
    """Return the question, or raise InvalidError with what is wrong with it.

    It needs no words when it asks for what mentions an entity.
    """
    text = _text("The question", text, MAX_QUESTION)
    if not text and not entities:
        raise InvalidError("The question is empty.")
    if mode not in set(Mode):
        raise InvalidError(f"The mode {mode!r} is not one of {', '.join(Mode)}.")
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidError(f"limit is {limit}; it can be 1 to {MAX_LIMIT}.")
    return Question(
        text=text,
        mode=Mode(mode),
        # Stored paths are NFC and begin and end without a slash.
        folder=_text("The folder", unicodedata.normalize("NFC", folder), MAX_FOLDER).strip("/"),
        content_type=_text("The type", content_type, MAX_TYPES),
        limit=limit,
        phrases=tuple(_PHRASE.findall(text)),
        entities=wanted(entities),
    )


def _text(name: str, given: str, longest: int) -> str:
    if len(given) > longest:
        raise InvalidError(f"{name} has {len(given)} characters; the limit is {longest}.")
    if "\x00" in given:
        raise InvalidError(f"{name} contains a NUL character.")
    # A lone surrogate can come out of JSON and cannot go into the database.
    return given.encode("utf-8", "replace").decode("utf-8").strip()
