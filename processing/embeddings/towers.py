"""Embed images and descriptions of images on this machine's CPU, without any network.

CLIP: Radford et al., Learning Transferable Visual Models From Natural Language Supervision
(2021), https://arxiv.org/abs/2103.00020.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from documents.errors import ProviderError
from processing.embeddings import runtimes
from processing.embeddings.embedder import Vectors, normalised
from processing.embeddings.image_embedder import Pixels
from processing.embeddings.runtimes import Floats
from processing.embeddings.tower_folder import TEXT, VISION, TowerFolder
from processing.previews.frame import Frame


class Tower:
    """One graph that makes vectors, loaded when first asked; one call at a time."""

    def __init__(self, folder: TowerFolder, name: str, *, output: str, threads: int) -> None:
        self._folder = folder
        self._name = name
        self._output = output
        self._threads = threads
        self._lock = threading.Lock()
        self._session: Any = None

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Floats:
        """Return the vectors, (n, dimensions); of `feed` the graph gets what it asks for."""
        graph = self._folder.graph(self._name)
        with self._lock:
            # The library raises its refusals as plain subclasses of Exception.
            try:
                if self._session is None:
                    self._session = runtimes.onnx_session(graph, threads=self._threads)
                wanted = {port.name for port in self._session.get_inputs()}
                answer = self._session.run(
                    [self._output], {name: feed[name] for name in wanted & set(feed)}
                )
            except Exception as error:
                raise ProviderError(f"{graph} cannot be run: {error}") from error
        return self._checked(graph, np.asarray(answer[0], np.float32))

    def _checked(self, graph: Path, vectors: Floats) -> Floats:
        if vectors.ndim != 2 or vectors.shape[1] != self._folder.dimensions:
            raise ProviderError(
                f"{graph} makes an array of {vectors.shape}, "
                f"not vectors of {self._folder.dimensions} numbers as its folder says"
            )
        return vectors


class TwoTowers:
    """A model of CLIP's kind. Its towers are loaded apart: search needs only that for words."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self._folder = TowerFolder(folder)
        self._texts = Tower(self._folder, TEXT, output="text_embeds", threads=threads)
        self._images = Tower(self._folder, VISION, output="image_embeds", threads=threads)

    @property
    def model(self) -> str:
        return f"{self._folder.path.name}@{self._folder.fingerprint[:12]}"

    @property
    def dimensions(self) -> int:
        return self._folder.dimensions

    @property
    def frame(self) -> Frame:
        return self._folder.frame

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        # One at a time: a call with several is no faster on a CPU, and makes a search wait.
        rows = [self._images.run({"pixel_values": self._seen(image)}) for image in images]
        return self._units(rows)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        # Without padding, which not every export can be told about.
        rows = [self._texts.run(_read(ids)) for ids in self._folder.tokenizer.encode(texts)]
        return self._units(rows)

    def _seen(self, image: Pixels) -> Floats:
        """Return one image as (1, 3, height, width)."""
        colours = self._folder.normalised(image.astype(np.float32))
        return np.ascontiguousarray(np.moveaxis(colours, 2, 0)[np.newaxis])

    def _units(self, rows: Sequence[Floats]) -> Vectors:
        if not rows:
            return np.empty((0, self.dimensions), np.float32)
        return normalised(np.concatenate(rows))


def _read(ids: Sequence[int]) -> dict[str, NDArray[np.int64]]:
    # At least one: an empty text has no token where a tokenizer adds no markers.
    tokens = np.asarray([ids or [0]], np.int64)
    return {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
