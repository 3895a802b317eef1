"""Sandboxes for the tests that call them."""

from collections.abc import Iterator

import pytest

from processing.sandbox import Sandbox
from tests.processing.sandbox_calls import make_sandbox


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
