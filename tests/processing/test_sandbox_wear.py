"""A fork server that has served enough is replaced, and no call notices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from processing.sandbox import Sandbox, Wear
from tests.processing.sandbox_calls import (
    MODULE,
    TASKS,
    InThread,
    is_gone,
    pids_in,
    run,
    wait_until,
)


def made(wear: Wear) -> Iterator[Sandbox]:
    sandbox = Sandbox(tasks=TASKS, preload=f"{MODULE}:warm_up", wear=wear)
    yield sandbox
    sandbox.close()


@pytest.fixture
def short_lived() -> Iterator[Sandbox]:
    yield from made(Wear(max_calls=3))


@pytest.fixture
def thin() -> Iterator[Sandbox]:
    yield from made(Wear(max_rss_bytes=1))


def server_of(sandbox: Sandbox) -> int:
    return int(run(sandbox, "echo", value=1)["server"])


def test_a_worn_server_goes_when_another_is_warm(short_lived: Sandbox) -> None:
    first = server_of(short_lived)

    wait_until(lambda: server_of(short_lived) != first)

    wait_until(lambda: is_gone(first))


def test_a_server_over_its_memory_is_replaced(thin: Sandbox) -> None:
    first = server_of(thin)

    wait_until(lambda: server_of(thin) != first)


def test_a_running_call_keeps_the_worn_server_until_its_end(
    short_lived: Sandbox, tmp_path: Path
) -> None:
    first = server_of(short_lived)
    sleeper = InThread(short_lived, "sleep", pid_file=str(tmp_path / "pids"))
    child, _ = pids_in(tmp_path / "pids")

    wait_until(lambda: server_of(short_lived) != first)

    assert not is_gone(child)
    assert sleeper.call is not None
    sleeper.call.kill()
    sleeper.finish()
    wait_until(lambda: is_gone(child) and is_gone(first))


def test_a_server_without_limits_stays() -> None:
    sandbox = Sandbox(tasks=TASKS, preload=f"{MODULE}:warm_up")
    try:
        assert len({server_of(sandbox) for _ in range(10)}) == 1
    finally:
        sandbox.close()
