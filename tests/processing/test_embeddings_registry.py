"""The settings decide which embedder the process has."""

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from documents.errors import ProviderError
from processing.embeddings.local import LocalEmbedder
from processing.embeddings.openai import OpenAIEmbedder
from processing.embeddings.registry import get_embedder
from tests.processing.embedding_models import HIDDEN, make_model_folder


@pytest.fixture(autouse=True)
def local_settings(settings: Settings, tmp_path: Path) -> Settings:
    settings.EMBEDDING_PROVIDER = "local"
    settings.EMBEDDING_MODEL_PATH = None
    settings.EMBEDDING_MODEL = ""
    settings.EMBEDDING_BASE_URL = ""
    settings.EMBEDDING_API_KEY = ""
    settings.EMBEDDING_DIMENSIONS = None
    settings.EMBEDDING_THREADS = 1
    settings.EMBEDDING_RUNTIME = "onnxruntime"
    settings.MODEL_CACHE_DIR = tmp_path / "models"
    return settings


def test_the_bundled_model_is_the_default() -> None:
    embedder = get_embedder()

    assert isinstance(embedder, LocalEmbedder)
    assert embedder.model.startswith("all-MiniLM-L6-v2@")
    assert (embedder.dimensions, embedder.max_tokens) == (384, 254)


def test_a_process_has_one_embedder_until_settings_change(
    local_settings: Settings,
) -> None:
    first = get_embedder()

    assert get_embedder() is first
    local_settings.EMBEDDING_THREADS = 2
    assert get_embedder() is not first


def test_a_folder_of_ones_own_is_used(local_settings: Settings, tmp_path: Path) -> None:
    local_settings.EMBEDDING_MODEL_PATH = str(make_model_folder(tmp_path / "own-model"))

    embedder = get_embedder()

    assert embedder.model.startswith("own-model@")
    assert embedder.embed(["one"]).shape == (1, HIDDEN)


def test_an_endpoint_is_used_when_asked_for(local_settings: Settings) -> None:
    local_settings.EMBEDDING_PROVIDER = "openai"
    local_settings.EMBEDDING_MODEL = "text-embedding-3-small"
    local_settings.EMBEDDING_BASE_URL = "http://127.0.0.1:1/v1"
    local_settings.EMBEDDING_DIMENSIONS = 512

    embedder = get_embedder()

    assert isinstance(embedder, OpenAIEmbedder)
    assert (embedder.model, embedder.dimensions) == ("text-embedding-3-small:512", 512)
    assert embedder.count_tokens(["hello world"]) == [2]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"EMBEDDING_PROVIDER": "cohere"}, "EMBEDDING_PROVIDER is"),
        ({"EMBEDDING_RUNTIME": "torch"}, "EMBEDDING_RUNTIME is"),
        ({"EMBEDDING_DIMENSIONS": 512}, "the local model makes 384"),
        ({"EMBEDDING_PROVIDER": "openai", "EMBEDDING_MODEL": "small"}, "EMBEDDING_BASE_URL"),
        (
            {"EMBEDDING_PROVIDER": "openai", "EMBEDDING_BASE_URL": "http://127.0.0.1:1"},
            "EMBEDDING_MODEL",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(
    local_settings: Settings, changes: dict[str, object], sentence: str
) -> None:
    for name, value in changes.items():
        setattr(local_settings, name, value)

    with pytest.raises(ImproperlyConfigured, match=sentence):
        get_embedder()


def test_a_missing_folder_is_named(local_settings: Settings, tmp_path: Path) -> None:
    local_settings.EMBEDDING_MODEL_PATH = str(tmp_path / "missing")

    with pytest.raises(ProviderError, match="missing"):
        get_embedder()


def test_a_forked_child_builds_its_own_embedder() -> None:
    inherited = get_embedder()
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writing, b"1" if get_embedder() is not inherited else b"0")
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 1) == b"1"
    os.close(reading)
    os.close(writing)
