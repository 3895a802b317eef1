"""What several tests of processing start from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from documents.storage.local import LocalStorage
from processing import reading
from processing.sandbox import Sandbox
from processing.search import semantic
from processing.stages import embed
from tests.processing.sandbox_calls import make_sandbox
from tests.processing.search_library import CompassEmbedder


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    sandbox = make_sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def fresh() -> Iterator[Sandbox]:
    sandbox = make_sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> CompassEmbedder:
    """The provider of search, faked at the edge; the real one has a test of its own."""
    compass = CompassEmbedder()
    monkeypatch.setattr(semantic, "get_embedder", lambda: compass)
    monkeypatch.setitem(semantic.FLOORS, compass.model, 0.3)
    return compass


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of every object that is stored meanwhile."""
    keys: list[str] = []
    put = LocalStorage.put

    def counting(self: LocalStorage, key: str, *rest: Any) -> Any:
        keys.append(key)
        return put(self, key, *rest)

    monkeypatch.setattr(LocalStorage, "put", counting)
    return keys


@pytest.fixture
def embedding(embedder: CompassEmbedder, monkeypatch: pytest.MonkeyPatch) -> CompassEmbedder:
    """The same provider for the stage that embeds."""
    monkeypatch.setattr(embed, "get_embedder", lambda: embedder)
    return embedder


@pytest.fixture
def root(settings: Settings, tmp_path: Path) -> Path:
    """Where a storage of the test's own lies."""
    root = tmp_path / "storage"
    settings.STORAGE_ROOT = root
    return root


@pytest.fixture(scope="module")
def warm() -> None:
    """Have the sandbox up before a test's transaction, which may not stand still for so long."""
    reading.start_sandbox()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> CompassEmbedder:
    """The provider of the stages that read, faked at the edge."""
    compass = CompassEmbedder()
    for module in ("processing.stages.extract", "processing.stages.embed"):
        monkeypatch.setattr(f"{module}.get_embedder", lambda: compass)
    return compass
