"""Which tests run side by side, where pytest-xdist runs them in several processes.

Each process has a home and services of its own, so that any two modules may run at once,
each of them whole. Those that start all of Sluice are one group, first in the line: two
installations on two processors would only wait for each other, some of them against a clock.
"""

from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent.parent
STACKS = "stacks"


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist tells no types
    """Hands out one group after another to whoever has nothing left to do."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@cache
def starts_stacks(module: str) -> bool:
    """Say whether tests of this module carry the marker `stack`, as its source tells.

    The process that hands out the tests has not imported them.
    """
    return "pytest.mark.stack" in (ROOT / module).read_text()


def group_of(nodeid: str) -> str:
    """Return the name that a test shares with all that must run where it runs."""
    module = nodeid.split("::")[0]
    return STACKS if starts_stacks(module) else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    # The groups come in the order of the tests, not by how many tests they have.
    config.option.loadscopereorder = False
    return Groups(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what takes longest first, where others run beside it."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: group_of(item.nodeid) != STACKS)
