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
    # Of what the document shows as a whole, not of the chunk.
    image_rank: int | None = None
    image_cosine: float | None = None


def fuse(
    keyword: Sequence[Ranked], semantic: Sequence[Ranked], images: Sequence[Ranked] = ()
) -> list[Found]:
    """Return one entry per document, best first; equal scores in order of chunk.

    Images speak for every chunk of their document, and are found at their own if at no other.
    """
    lists = _Lists(
        keyword={ranked.chunk: rank for rank, ranked in enumerate(keyword, start=1)},
        semantic={ranked.chunk: (rank, ranked) for rank, ranked in enumerate(semantic, start=1)},
        images={ranked.document: (rank, ranked) for rank, ranked in enumerate(images, start=1)},
    )
    documents = {ranked.chunk: ranked.document for ranked in (*keyword, *semantic, *images)}
    found = [lists.found(chunk, document) for chunk, document in documents.items()]
    found.sort(key=lambda entry: (-entry.score, entry.chunk))
    best: dict[UUID, Found] = {}
    for entry in found:
        best.setdefault(entry.document, entry)
    return list(best.values())


@dataclass(frozen=True, slots=True)
class _Lists:
    """The ranked lists, by what they rank: chunks, and documents by their images."""

    keyword: dict[int, int]
    semantic: dict[int, tuple[int, Ranked]]
    images: dict[UUID, tuple[int, Ranked]]

    def found(self, chunk: int, document: UUID) -> Found:
        by_word = self.keyword.get(chunk)
        by_meaning, near = self.semantic.get(chunk, (None, None))
        by_image, alike = self.images.get(document, (None, None))
        return Found(
            chunk=chunk,
            document=document,
            score=sum(1 / (K + rank) for rank in (by_word, by_meaning, by_image) if rank),
            keyword_rank=by_word,
            semantic_rank=by_meaning,
            cosine=near.cosine if near else None,
            image_rank=by_image,
            image_cosine=alike.cosine if alike else None,
        )
