"""Put ranked lists of chunks together into one list of documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

# Cormack, Clarke, Buettcher: Reciprocal Rank Fusion (SIGIR 2009); 10 to 100 measured alike here.
K = 60


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk in a ranked list."""

    chunk: int
    document: UUID
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The best chunk of a document, with its ranks, from 1, in the lists it came from."""

    chunk: int
    document: UUID
    score: float
    keyword_rank: int | None
    semantic_rank: int | None
    cosine: float | None


def fuse(keyword: Sequence[Ranked], semantic: Sequence[Ranked]) -> list[Found]:
    """Return one entry per document, best first; equal scores in order of chunk."""
    keyword_ranks = {ranked.chunk: rank for rank, ranked in enumerate(keyword, start=1)}
    semantic_ranks = {ranked.chunk: rank for rank, ranked in enumerate(semantic, start=1)}
    # Semantic entries last, because they know the cosine.
    by_chunk = {ranked.chunk: ranked for ranked in (*keyword, *semantic)}
    found = [
        _found(ranked, keyword_ranks.get(chunk), semantic_ranks.get(chunk))
        for chunk, ranked in by_chunk.items()
    ]
    found.sort(key=lambda entry: (-entry.score, entry.chunk))
    best: dict[UUID, Found] = {}
    for entry in found:
        best.setdefault(entry.document, entry)
    return list(best.values())


def _found(ranked: Ranked, keyword_rank: int | None, semantic_rank: int | None) -> Found:
    return Found(
        chunk=ranked.chunk,
        document=ranked.document,
        score=sum(1 / (K + rank) for rank in (keyword_rank, semantic_rank) if rank),
        keyword_rank=keyword_rank,
        semantic_rank=semantic_rank,
        cosine=ranked.cosine,
    )
