"""The port: what a model promises that knows images and words in one space."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from processing.embeddings.embedder import Vectors
from processing.previews.frame import Frame

Pixels = NDArray[np.uint8]


class ImageEmbedder(Protocol):
    """Maps images and texts to unit vectors of one vector space. Safe to share between threads."""

    @property
    def model(self) -> str:
        """Name the vector space; vectors of different names must not be compared."""

    @property
    def dimensions(self) -> int:
        """Say how many numbers a vector has."""

    @property
    def frame(self) -> Frame:
        """Say how it wants to see an image."""

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        """Embed images in order, each (height, width, 3) in its frame: (n, dimensions) float32.

        Raises ProviderError: the model cannot be loaded or run.
        """

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed descriptions in order: (n, dimensions) float32. Raises ProviderError."""
