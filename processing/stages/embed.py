"""Embed: from chunks to vectors, for several documents at once.

Reads the chunks of the current generation that have no vector of this model. Writes
their vectors and the name of the model; the generation is live after it. Fails with
ProviderRefusedError (permanent), RateLimitError, NetworkError and ProviderError (transient).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from documents import faults
from documents.errors import PermanentError, SluiceError
from documents.models import Document
from processing import generations
from processing.embeddings.embedder import Embedder, as_literal
from processing.embeddings.registry import get_embedder
from processing.models import Chunk, StageName
from processing.stage import Held, Result, Stage

CLAIM_SIZE = 16
# Texts per call of the model: between calls a lost lease is noticed.
SLICE = 128

Row = tuple[int, str, str]


def run(work: Sequence[Held]) -> Iterator[tuple[Held, Result]]:
    """Yield each document's vectors; small documents share a call of the model."""
    embedder = get_embedder()
    for group in _groups(work, embedder):
        yield from _tried(embedder, group)


def _tried(
    embedder: Embedder, group: list[tuple[Held, list[Row]]]
) -> Iterator[tuple[Held, Result]]:
    try:
        yield from _embed(embedder, group)
    except PermanentError as error:
        if len(group) == 1:
            yield group[0][0], group[0][0].lost or error
            return
        # What is refused about one document must not fail those that shared the call.
        for one in group:
            yield from _tried(embedder, [one])
    except SluiceError as error:
        for held, _ in group:
            yield held, held.lost or error


def _groups(work: Sequence[Held], embedder: Embedder) -> Iterator[list[tuple[Held, list[Row]]]]:
    """Yield documents with their chunks, so many at a time that a call is well filled.

    The smallest come first and are done when their own group is: nobody's page
    waits for somebody's book.
    """
    group: list[tuple[Held, list[Row]]] = []
    n = 0
    found = ((held, _rows(held, embedder.model)) for held in work)
    for held, rows in sorted(found, key=lambda one: len(one[1])):
        if group and n + len(rows) > SLICE:
            yield group
            group, n = [], 0
        group.append((held, rows))
        n += len(rows)
    if group:
        yield group


def _rows(held: Held, model: str) -> list[Row]:
    chunks = Chunk.objects.filter(
        document_id=held.lease.document_id, generation=held.lease.generation
    ).exclude(embedding__isnull=False, model=model)
    return list(chunks.order_by("ordinal").values_list("id", "heading", "text"))


def _embed(embedder: Embedder, group: list[tuple[Held, list[Row]]]) -> list[tuple[Held, Result]]:
    texts = [with_context(heading, text) for _, rows in group for _, heading, text in rows]
    vectors = []
    for start in range(0, len(texts), SLICE):
        # One cancelled document does not stop its neighbours: its write is fenced anyway.
        if all(held.lost for held, _ in group):
            group[0][0].check()
        faults.point("embed.before_model")
        vectors.append(embedder.embed(texts[start : start + SLICE]))
    every: NDArray[np.float32] = np.concatenate(
        [np.empty((0, embedder.dimensions), np.float32), *vectors]
    )
    results: list[tuple[Held, Result]] = []
    taken = 0
    for held, rows in group:
        ids = [row[0] for row in rows]
        results.append((held, Embedded(ids, every[taken : taken + len(ids)], embedder.model)))
        taken += len(ids)
    return results


def with_context(heading: str, text: str) -> str:
    """Return what stands for a chunk in the model: its text under its heading."""
    return f"{heading}\n{text}" if heading and not text.startswith(heading) else text


@dataclass(frozen=True, slots=True)
class Embedded:
    """Write the vectors of a document's chunks, (n, dimensions) float32, n ids."""

    ids: list[int]
    vectors: NDArray[np.float32]
    model: str

    def __call__(self, document: Document) -> bool:
        """Return True: whatever follows may go on."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                update processing_chunk c set embedding = v.embedding::halfvec, model = %s
                from unnest(%s::bigint[], %s::text[]) as v (id, embedding) where c.id = v.id
                """,
                [self.model, self.ids, [as_literal(vector) for vector in self.vectors]],
            )
        generations.go_live(document)
        faults.point("embed.before_commit")
        return True


stage = Stage(StageName.EMBED, run, after=StageName.EXTRACT, claim_size=CLAIM_SIZE)
