"""What a search gives back."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Why:
    """Why a document was found: its best chunk's place in each list, from 1.

    `cosine` is the likeness to the question itself; `terms` are the stems of the
    question that the chunk contains.
    """

    keyword_rank: int | None
    semantic_rank: int | None
    cosine: float | None
    terms: list[str]


@dataclass(frozen=True, slots=True)
class Hit:
    """A document at its best page; `snippet` is safe HTML with <mark> around what matched."""

    document: UUID
    path: str
    folder: str
    name: str
    content_type: str
    page: int
    snippet: str
    score: float
    thumbnail: str | None = None
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many documents were searched, of those that are here or on their way."""

    searchable: int
    total: int


@dataclass(frozen=True, slots=True)
class Results:
    """Hits, best first; `message` says why there are none, `degraded` what had to be left out."""

    hits: list[Hit]
    coverage: Coverage
    message: str = ""
    degraded: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the object of the API; what does not apply is left out."""
        body = asdict(self)
        for name in ("message", "degraded"):
            if not body[name]:
                del body[name]
        for hit in body["hits"]:
            if hit["why"] is None:
                del hit["why"]
        return body
