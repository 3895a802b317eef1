"""A worker that has worked enough is renewed, one of a home at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from processing import renewal
from processing.presence import Presence


@pytest.fixture(autouse=True)
def own_turn(tmp_path: Path, settings: Settings) -> Iterator[None]:
    settings.SLUICE_HOME = tmp_path
    settings.WORKER_MAX_JOBS = settings.WORKER_MAX_RSS_BYTES = 0
    yield
    while renewal._turn:
        renewal._turn.pop().close()


def after(runs: int) -> Presence:
    presence = Presence()
    presence.finished = runs
    return presence


def test_enough_runs_are_a_tenth_more_or_less_than_the_limit(settings: Settings) -> None:
    settings.WORKER_MAX_JOBS = 100

    assert not renewal.is_due(after(89))
    assert renewal.is_due(after(111))


def test_too_much_memory_counts_once_something_was_done(settings: Settings) -> None:
    settings.WORKER_MAX_RSS_BYTES = 1

    assert not renewal.is_due(after(0))
    assert renewal.is_due(after(1))


def test_without_limits_a_worker_stays() -> None:
    assert not renewal.is_due(after(1_000_000))


def test_a_second_worker_of_the_home_waits_until_the_first_has_ended(settings: Settings) -> None:
    settings.WORKER_MAX_JOBS = 1
    assert renewal.is_due(after(10))

    assert not renewal.is_due(after(10))

    renewal._turn.pop().close()
    assert renewal.is_due(after(10))
