"""What a search gives back."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Why:
    """Why a document was found: its best chunk's place in each list, from 1.

    `cosine` is the likeness to the question itself; `terms` are the stems of the
    question that the chunk contains. The image's place and likeness are None unless it is one
    that looks like the question.
    """

    keyword_rank: int | None
    semantic_rank: int | None
    cosine: float | None
    terms: list[str]
    image_rank: int | None = None
    image_cosine: float | None = None


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
    placeholder: str = ""
    # It is an image that looks like what was asked for, whatever its text says.
    shows_it: bool = False
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many documents were searched, of those that are here or on their way."""

    searchable: int
    total: int


@dataclass(frozen=True, slots=True)
class FacetValue:
    """An entity that so many of the hits mention; `text` is how one of them writes it."""

    value: str
    text: str
    documents: int


@dataclass(frozen=True, slots=True)
class Facet:
    """What the hits mention of one kind, those first that most of them do."""

    kind: str
    values: list[FacetValue]


@dataclass(frozen=True, slots=True)
class Results:
    """Hits, best first; `message` says why there are none, `degraded` what had to be left out.

    `facets` are None when nobody asked for them.
    """

    hits: list[Hit]
    coverage: Coverage
    facets: list[Facet] | None = None
    message: str = ""
    degraded: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the object of the API; what does not apply is left out."""
        body = asdict(self)
        _leave_out(body, "message", "degraded")
        if body["facets"] is None:
            del body["facets"]
        for hit in body["hits"]:
            if hit["why"] is not None:
                _leave_out(hit["why"], "image_rank", "image_cosine")
            _leave_out(hit, "shows_it", "why")
        return body


def _leave_out(body: dict[str, Any], *names: str) -> None:
    """Take out those of the names that have nothing to say."""
    for name in names:
        if body[name] is None or body[name] is False or body[name] == "":
            del body[name]
