"""The port: what every embedder promises."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from documents.errors import ProviderError

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Maps texts to unit vectors of one vector space. Safe to share between threads."""

    # The most texts that go into one call of the model or one request.
    MAX_BATCH: ClassVar[int]

    @property
    def model(self) -> str:
        """Name the vector space; vectors of different names must not be compared."""

    @property
    def dimensions(self) -> int:
        """Say how many numbers a vector has."""

    @property
    def max_tokens(self) -> int:
        """Say how many tokens of a text `embed` reads; the rest is cut off."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed any number of texts in order: (n, dimensions) float32, each of length 1.

        Raises RateLimitError and ProviderError, which pass, and
        ProviderRefusedError, which does not.
        """

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, without the markers a model puts around it."""


def normalised(vectors: Vectors) -> Vectors:
    """Scale each row to length 1.

    Raises ProviderError for a row without a direction: stored, it would match
    nothing and break every distance it takes part in.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise ProviderError("The embedding model returned a vector without a direction")
    return np.asarray(vectors / lengths, dtype=np.float32)


def as_literal(vector: NDArray[np.float32]) -> str:
    """Return a vector of shape (dimensions,) as pgvector reads it; halfvec keeps 11 bits each."""
    return "[" + ",".join(f"{value:.5g}" for value in vector.tolist()) + "]"


def well_formed(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
