"""Rank chunks by likeness of meaning: an exact scan over the vectors in scope."""

from collections.abc import Sequence

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from documents.errors import ProviderError, ProviderRefusedError, RateLimitError
from processing.embeddings.embedder import as_literal
from processing.embeddings.registry import BUNDLED_MODEL, get_embedder
from processing.models import Chunk
from processing.search.fusion import Ranked
from processing.search.scope import Scope

Vector = NDArray[np.float32]

# Below this cosine a chunk has nothing to do with the question (docs/benchmarks.md). Every
# model has its own scale: one that was not measured ranks without a floor.
FLOORS = {BUNDLED_MODEL: 0.3}

# Rocchio's feedback: the question moves towards what both lists agree on first.
FEEDBACK_CHUNKS = 3
FEEDBACK_WEIGHT = 1.0

# The distance is computed after the model is known: others may differ in length.
_NEAREST = """
select c.id, c.document_id, 1 - (c.embedding <=> %s::halfvec)
from processing_chunk c
where c.model = %s and c.embedding is not null and {condition}
order by c.embedding <=> %s::halfvec, c.id limit %s
"""


def embed(text: str) -> tuple[Vector, str]:
    """Return the question's vector and the name of its space.

    Raises ProviderError, whatever it is that keeps the embedder from answering:
    to the person who asks, all of it is the same.
    """
    embedder = get_embedder()
    try:
        return embedder.embed([text])[0], embedder.model
    except (RateLimitError, ProviderRefusedError) as error:
        raise ProviderError(f"The question could not be embedded: {error.detail}") from error


def rank(
    scope: Scope, question: Vector, model: str, depth: int, *, moved: Vector | None = None
) -> list[Ranked]:
    """Return up to `depth` chunks nearest to `moved`, or to the question itself.

    What lies below the model's floor is left out; the cosine is always to the
    question, so that feedback cannot make something look like a match.
    """
    condition, params = scope.chunks_sql()
    text = as_literal(question)
    with connection.cursor() as cursor:
        cursor.execute(
            _NEAREST.format(condition=condition),
            [text, model, *params, text if moved is None else as_literal(moved), depth],
        )
        rows = cursor.fetchall()
    floor = FLOORS.get(model.partition("@")[0], -1.0)
    return [Ranked(chunk, document, cosine) for chunk, document, cosine in rows if cosine >= floor]


def moved_towards(question: Vector, chunk_ids: Sequence[int], model: str) -> Vector:
    """Return the question's vector, moved towards the mean of these chunks."""
    rows = Chunk.objects.filter(id__in=chunk_ids, model=model, embedding__isnull=False)
    vectors = list(rows.values_list("embedding", flat=True))
    if not vectors:
        return question
    moved = question + FEEDBACK_WEIGHT * np.mean(np.asarray(vectors, np.float32), axis=0)
    return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)
