"""What several tests of processing start from."""

from collections.abc import Iterator
from typing import Any

import pytest

from documents.models import Batch
from documents.storage.local import LocalStorage
from processing.sandbox import Sandbox
from processing.search import semantic
from tests.factories import make_batch, make_user
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
def user() -> Any:
    return make_user()


@pytest.fixture
def batch(user: Any) -> Batch:
    return make_batch(user.memberships.get().workspace, created_by=user)


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
