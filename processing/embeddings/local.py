"""Embed on this machine's CPU, with a model from a folder and without any network."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from documents.errors import ProviderError
from processing.embeddings import batching, runtimes
from processing.embeddings.choice import faster_runtime
from processing.embeddings.embedder import Vectors, normalised
from processing.embeddings.folder import ModelFolder, Pooling
from processing.embeddings.runtimes import Floats, Runtime, RuntimeName, Tokens


class LocalEmbedder:
    """A sentence-transformers model; loaded at the first `embed`, not before.

    Threads may share it: they tokenise side by side and take turns in the
    model, which uses `threads` cores however many callers there are.
    """

    MAX_BATCH: ClassVar[int] = batching.MAX_BATCH

    def __init__(
        self,
        folder: Path,
        *,
        cache_dir: Path,
        name: str = "",
        threads: int = 1,
        runtime: RuntimeName | None = None,
    ) -> None:
        """Prepare an embedder; `runtime` None means whichever is faster here."""
        self._folder = ModelFolder(folder)
        self._cache_dir = cache_dir
        self._name = name or folder.name
        self._threads = threads
        self._wanted = runtime
        self._lock = threading.Lock()
        self._loaded: Runtime | None = None

    @property
    def model(self) -> str:
        return f"{self._name}@{self._folder.fingerprint[:12]}"

    @property
    def dimensions(self) -> int:
        return self._folder.dimensions

    @property
    def max_tokens(self) -> int:
        return self._folder.max_length - self._folder.tokenizer.markers

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts in order; what exceeds `max_tokens` of a text is cut off."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        encoded = self._folder.tokenizer.encode(texts)
        lengths = [len(ids) for ids in encoded]
        longest = self._folder.max_length
        for call in batching.plan(lengths, longest=longest, threads=self._threads):
            ids, mask = self._padded([encoded[row] for row in call.rows], call.length)
            # One call at a time, so a search waits for a call of the bulk and not for all of it.
            with self._lock:
                hidden = self._runtime().hidden_states(ids, mask)
            vectors[list(call.rows)] = self._pooled(hidden, mask)
        return normalised(vectors) if len(texts) else vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._folder.tokenizer.count(texts)

    def _runtime(self) -> Runtime:
        if self._loaded is None:
            try:
                self._loaded = self._load()
            except OSError as error:
                raise ProviderError(
                    f"The embedding model cannot be prepared in {self._cache_dir}: {error}"
                ) from error
        return self._loaded

    def _load(self) -> Runtime:
        graph = self._folder.onnx(self._cache_dir)
        name = self._wanted or faster_runtime(
            graph,
            threads=self._threads,
            cache_dir=self._cache_dir,
            longest=self._folder.max_length,
        )
        return runtimes.load(name, graph, threads=self._threads)

    def _padded(self, rows: Sequence[Sequence[int]], length: int) -> tuple[Tokens, Tokens]:
        ids = np.full((len(rows), length), self._folder.pad_token_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            # At least one: an empty text has no token where a tokenizer adds no markers.
            mask[row, : max(1, len(tokens))] = 1
        return ids, mask

    def _pooled(self, hidden: Floats, mask: Tokens) -> Vectors:
        if hidden.shape[-1] != self.dimensions:
            raise ProviderError(
                f"The model {self._name} makes {hidden.shape[-1]} numbers a vector, "
                f"not {self.dimensions} as its folder says"
            )
        if self._folder.pooling is Pooling.CLS:
            return hidden[:, 0]
        weights = mask.astype(np.float32)
        summed = np.einsum("bld,bl->bd", hidden, weights)
        return np.asarray(summed / weights.sum(axis=1, keepdims=True), dtype=np.float32)
