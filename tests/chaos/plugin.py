"""pytest's side of the trials: options, the fixture, the table at the end."""

import datetime
import logging
import os
import platform
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.chaos import trials as chaos

# The name under which a test's report carries what came of its trials.
PROPERTY = "trials"


class Results:
    """Gathers the trials of all tests from their reports, whichever process made them."""

    def __init__(self) -> None:
        self.trials: list[chaos.Trials] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = [value for name, value in report.user_properties if name == PROPERTY]
        self.trials += [chaos.told_by(one) for one in told if isinstance(one, dict)]


RESULTS = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--chaos", choices=("few", "full"), default="few", help="how many trials")
    group.addoption("--chaos-report", metavar="PAGE", help="write the table into this page")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(number, text, fault, trials): tries a promise")
    config.stash[RESULTS] = Results()
    config.pluginmanager.register(config.stash[RESULTS], "promises")
    # One line for each of thousands of requests would hide what a failure says.
    logging.getLogger("httpx").setLevel(logging.WARNING)


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> chaos.Trials:
    """The trials this test owes; it has to go through all of them."""
    marker = request.node.get_closest_marker("promise")
    number, text = marker.args
    few, full = marker.kwargs["trials"]
    promise = chaos.Promise(number, text, marker.kwargs["fault"] + _where(request), few, full)
    n = full if request.config.getoption("--chaos") == "full" else few
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))
    return chaos.Trials(promise, n, seed)


def _where(request: pytest.FixtureRequest) -> str:
    """Return on which store it is tried, if that is the test's to choose: a row for each."""
    chosen = getattr(request.node, "callspec", None)
    store = chosen.params.get("place", chosen.params.get("store")) if chosen else None
    return f" ({store} store)" if isinstance(store, str) else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    report = yield
    made = getattr(item, "funcargs", {}).get("trials")
    if made is not None and (call.when == "call" or (call.when == "setup" and report.failed)):
        report.user_properties.append((PROPERTY, asdict(made)))
    if report.failed and made is not None and made.current_seed is not None:
        report.sections.append(
            ("seed", f"CHAOS_SEED={made.current_seed} tries this one first, in {item.nodeid}")
        )
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    results = config.stash[RESULTS].trials
    if not results:
        return
    terminalreporter.section("promises")
    for one in results:
        terminalreporter.write_line(
            f"{one.promise.number:4} {one.passed:4} of {one.n:<4} {one.promise.fault}"
        )
    page = config.getoption("--chaos-report")
    if page:
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        chaos.write(Path(page), results, day=day, preface=_machine())


def _machine() -> str:
    memory = psutil.virtual_memory().total / 1024**3
    return (
        f"On {os.cpu_count()} cores ({platform.machine()}) with {memory:.0f} GB "
        "that were shared with other work. Figures named in a row are medians over its trials."
    )
