"""What is mentioned in a document: one entity for all the places where it is.

Knows no finder, whose libraries only those load who look for something.
"""

from dataclasses import dataclass, field
from typing import Any, Self

from processing.enrichment.mentions import Kind

# Some thousand pages. Further on is not looked at.
MAX_CHARACTERS = 5_000_000
MAX_PLACES = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entity is: `start` characters into the text of a page, written so."""

    page: int
    start: int
    text: str


@dataclass(slots=True)
class Entity:
    """Something mentioned `count` times; of its places the first MAX_PLACES are known."""

    kind: Kind
    value: str
    count: int = 0
    places: list[Place] = field(default_factory=list)

    def add(self, place: Place) -> None:
        """Count one more place."""
        self.count += 1
        if len(self.places) < MAX_PLACES:
            self.places.append(place)

    def to_json(self) -> dict[str, Any]:
        """Return the same in plain JSON types."""
        places = [[place.page, place.start, place.text] for place in self.places]
        return {"kind": self.kind, "value": self.value, "count": self.count, "places": places}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return what `to_json` gave; it comes from where the text was read, and is checked."""
        places = [Place(int(page), int(start), str(text)) for page, start, text in data["places"]]
        return cls(Kind(data["kind"]), str(data["value"]), int(data["count"]), places[:MAX_PLACES])
