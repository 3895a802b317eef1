"""An entity that documents must mention, as a request names it: kind:value."""

from collections.abc import Sequence
from dataclasses import dataclass

from documents.errors import InvalidError
from processing.enrichment import Kind

MAX_ENTITIES = 5
MAX_VALUE = 500
# Of these the value is what people read, in small letters; people write capitals.
_NAMES = frozenset({Kind.PERSON, Kind.ORGANISATION, Kind.PLACE})


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entity, by its kind and its value as it is stored."""

    kind: Kind
    value: str


def wanted(given: Sequence[str]) -> tuple[Wanted, ...]:
    """Return the entities written as kind:value, or raise InvalidError with what is wrong."""
    if len(given) > MAX_ENTITIES:
        raise InvalidError(f"{len(given)} entities are asked for; the limit is {MAX_ENTITIES}.")
    return tuple(map(_wanted, given))


def _wanted(given: str) -> Wanted:
    kind, _, value = given.partition(":")
    value = " ".join(value.split())
    if kind not in set(Kind) or not value:
        raise InvalidError(f"An entity is kind:value, where kind is {', '.join(Kind)}.")
    if len(value) > MAX_VALUE or "\x00" in value:
        raise InvalidError(f"The value of an entity has at most {MAX_VALUE} characters, none NUL.")
    if kind in _NAMES:
        value = value.casefold()
    # A lone surrogate can come out of JSON and cannot go into the database.
    return Wanted(Kind(kind), value.encode("utf-8", "replace").decode("utf-8"))
