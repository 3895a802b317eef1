"""Rank images by how much they look like what is asked for."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from processing.embeddings.embedder import Vectors, as_literal
from processing.embeddings.registry import get_image_embedder
from processing.search.fusion import Ranked
from processing.search.scope import Scope

# An image has to be more like the question than like what can be said of any image. Cosines
# between words and images say little by themselves: every model has its own scale, and some
# images are near to all words. What they are beyond these does not depend on either.
OF_ANY_IMAGE = ("a photo", "a picture", "an image of something")
# CLIP was trained at a temperature of 1/100 (https://arxiv.org/abs/2103.00020, 2.5), at which
# so much more makes it seven times as likely that the words belong to the image.
MARGIN = 0.02
# Beside an image that is plainly meant, one that is so by less than half is not.
SHARE_OF_BEST = 0.5

# The inner product is negative in pgvector. Images have a chunk that stands for them as a whole,
# behind those of the text in them.
_NEAREST = """
with nearest as (
  select c.document_id, c.generation, -(c.embedding <#> %s::halfvec) as beyond,
         1 - (c.embedding <=> %s::halfvec) as cosine
  from processing_imagevector c
  where c.model = %s and {condition}
  order by c.embedding <#> %s::halfvec, c.document_id limit %s
)
select chunk.id, n.document_id, n.cosine, n.beyond
from nearest n cross join lateral (
  select c.id from processing_chunk c
  where c.document_id = n.document_id and c.generation = n.generation
  order by c.ordinal desc limit 1
) chunk
order by n.beyond desc, n.document_id
"""


def rank(scope: Scope, text: str, depth: int) -> list[Ranked]:
    """Return up to `depth` images that look like the text, by the chunks that stand for them.

    None without a model, nor for words in quotation marks, which no image has as they stand.
    Raises ProviderError while the model cannot be used.
    """
    embedder = get_image_embedder()
    if embedder is None or scope.phrases:
        return []
    (question,) = embedder.embed_texts([text])
    beyond = as_literal(question - _of_any_image(embedder.embed_texts))
    condition, params = scope.rows_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            _NEAREST.format(condition=condition),
            [beyond, as_literal(question), embedder.model, *params, beyond, depth],
        )
        rows = cursor.fetchall()
    least = max(MARGIN, SHARE_OF_BEST * rows[0][3]) if rows else MARGIN
    return [Ranked(chunk, document, cosine) for chunk, document, cosine, by in rows if by >= least]


@lru_cache(maxsize=2)
def _of_any_image(embed: Callable[[Sequence[str]], Vectors]) -> NDArray[np.float32]:
    """Return the direction of what can be said of any image: (dimensions,) float32."""
    mean = embed(OF_ANY_IMAGE).mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)
