"""Documents that can be found: text and vectors made by hand."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from documents.errors import SluiceError
from documents.models import Batch, Document
from documents.states import Status
from processing.models import Chunk
from processing.search import Results
from tests.factories import make_document

LAKE = "The lantern by the lake was lit every evening."

MODEL = "by-hand"
NORTH, EAST, SOUTH_WEST = (1.0, 0.0), (0.0, 1.0), (-0.6, -0.8)


def make_readable(
    batch: Batch,
    *texts: str,
    path: str = "a.txt",
    vectors: Sequence[Sequence[float]] = (),
    model: str = MODEL,
    generation: int = 1,
    **fields: Any,
) -> Document:
    """Return a document whose page n is the n-th text; with `vectors` it is embedded."""
    now = timezone.now()
    document = make_document(
        batch,
        path=path,
        **{
            "status": Status.READY,
            "content_type": "text/plain",
            "processed_at": now,
            "embedded_at": now if vectors else None,
            **fields,
        },
    )
    add_chunks(document, *texts, vectors=vectors, model=model, generation=generation)
    return document


def add_chunks(
    document: Document,
    *texts: str,
    vectors: Sequence[Sequence[float]] = (),
    model: str = MODEL,
    generation: int = 1,
) -> None:
    """Give the document one chunk per text, each on its own page."""
    for place, text in enumerate(texts):
        Chunk.objects.create(
            workspace=document.workspace,
            document=document,
            generation=generation,
            ordinal=place,
            page=place + 1,
            start=0,
            end=len(text),
            text=text,
            embedding=list(vectors[place]) if vectors else None,
            model=model if vectors else "",
        )


class CompassEmbedder:
    """A provider whose vectors point where they are told to."""

    MAX_BATCH: ClassVar[int] = 8
    model = MODEL
    dimensions = 2
    max_tokens = 1000

    def __init__(self, direction: Sequence[float] = NORTH, error: SluiceError | None = None):
        self.direction = direction
        self.error = error

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.error:
            raise self.error
        return np.asarray([self.direction] * len(texts), dtype=np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


def paths(results: Results) -> list[str]:
    """Return where the hits lie, best first."""
    return [hit.path for hit in results.hits]
