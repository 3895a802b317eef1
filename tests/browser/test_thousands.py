"""Thousands of documents through a real browser, on a good day and on bad ones.

By default a few documents each; `make uploads` takes 2,000 from 4 KB to 10 MB, and
writes what it measured into docs/uploads.md.
"""

import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.folders import LARGEST, SMALLEST, make_folder, write_large
from tests.browser.shelf import Drop, Place, place_on
from tests.browser.test_main_job import drop
from tests.chaos.trials import Trial, Trials
from tests.documents.storage_s3 import CephBackend, missing_stores

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(1800)]

STORES = ["local"] + ["s3"] * (CephBackend.variable not in missing_stores())
BAD_LINE = {"unavailable": 0.04, "expired": 0.02, "reset": 0.02, "reset_request": 0.02}
FEW_CALLS = {"UPLOAD_CALLS_BURST": "2", "UPLOAD_CALLS_PER_SECOND": "0.3"}
OFFLINE_SECONDS = 20
# A trace of the whole would be larger than what it is of.
TRACED_SHARE = 0.1
PART_BYTES = 16 * 1024**2
ON_EACH_STORE = {
    "test_everything_that_is_dropped_is_found",
    "test_a_bad_line_costs_time_and_nothing_else",
    "test_a_large_document_goes_on_where_it_stopped",
}


@dataclass(frozen=True, slots=True)
class Size:
    """How much goes through the browser in one trial."""

    documents: int
    folders: int
    largest: int


SIZES = {"few": Size(60, 12, 256 * 1024), "full": Size(2_000, 120, LARGEST)}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try on the S3 store as well what depends on the store."""
    stores = STORES if metafunc.function.__name__ in ON_EACH_STORE else STORES[:1]
    if "place" in metafunc.fixturenames:
        metafunc.parametrize("place", stores, indirect=True)
    elif "store" in metafunc.fixturenames:
        metafunc.parametrize("store", stores)


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Place]:
    """One Sluice for the tests of a store, reached through a proxy that can be told to fail."""
    with place_on(request.param, chromium) as made:
        yield made


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Drop]]:
    """Make folders, and remove their bytes again."""
    usual = SIZES[request.config.getoption("--chaos")]

    def make(place: Place, trial: Trial, size: Size = usual) -> Drop:
        root = tmp_path / f"shelf-{trial.seed}-{request.node.name[:40]}"
        made = make_folder(
            root, size.documents, folders=size.folders, seed=trial.seed, largest=size.largest
        )
        return Drop(place, root, made)

    yield make
    shutil.rmtree(tmp_path, ignore_errors=True)


PROMISE = "Thousands of documents: all are found, none is sent twice"


@pytest.mark.promise("U1", PROMISE, fault="none", trials=(1, 1))
def test_everything_that_is_dropped_is_found(
    trials: Trials, place: Place, folder: Callable[..., Drop]
) -> None:
    for trial in trials:
        shelf = folder(place, trial)
        with place.tab(shelf.watched) as page:
            started = time.monotonic()
            drop(page, shelf.root)
            shelf.wait_found(page)

            shelf.settle(trial, started)


@pytest.mark.promise("U1", PROMISE, fault="tab killed at 30 %, dropped again", trials=(1, 1))
def test_a_second_drop_sends_what_the_first_left(
    trials: Trials, place: Place, folder: Callable[..., Drop]
) -> None:
    for trial in trials:
        shelf = folder(place, trial)
        with place.tab(shelf.watched) as page:
            started = time.monotonic()
            shelf.watched.hold_after(int(0.3 * len(shelf.made)))
            drop(page, shelf.root)
            shelf.wait_sent(0.29, page)
            shelf.watched.leave()

        with place.tab(shelf.watched) as page:
            drop_again(page, shelf.root)
            shelf.wait_found(page)

            shelf.settle(trial, started)


@pytest.mark.promise("U1", PROMISE, fault="10 % of PUTs refused, reset or expired", trials=(1, 1))
def test_a_bad_line_costs_time_and_nothing_else(
    trials: Trials, place: Place, folder: Callable[..., Drop]
) -> None:
    for trial in trials:
        shelf = folder(place, trial)
        place.line.set(**BAD_LINE)
        with place.tab(shelf.watched) as page:
            started = time.monotonic()
            drop(page, shelf.root)
            shelf.wait_found(page)

            shelf.settle(trial, started)
        place.line.set()
        assert shelf.watched.refused


@pytest.mark.promise("U1", PROMISE, fault="no network for 20 s", trials=(1, 1))
def test_a_line_that_was_down_is_gone_on_with(
    trials: Trials, place: Place, folder: Callable[..., Drop]
) -> None:
    for trial in trials:
        shelf = folder(place, trial)
        with place.tab(shelf.watched) as page:
            started = time.monotonic()
            drop(page, shelf.root)
            shelf.wait_sent(0.2, page)
            page.context.set_offline(True)
            page.wait_for_timeout(OFFLINE_SECONDS * 1000)
            page.context.set_offline(False)
            shelf.wait_found(page)

            shelf.settle(trial, started)


@pytest.mark.promise("U1", PROMISE, fault="calls limited: 429 with Retry-After", trials=(1, 1))
def test_a_server_that_asks_to_slow_down_is_obeyed(
    trials: Trials,
    store: str,
    chromium: Browser,
    folder: Callable[..., Drop],
) -> None:
    with place_on(store, chromium, **FEW_CALLS) as place:
        for trial in trials:
            shelf = folder(place, trial)
            with place.tab(shelf.watched) as page:
                started = time.monotonic()
                drop(page, shelf.root)
                shelf.wait_found(page)

                shelf.settle(trial, started)
            assert shelf.watched.limited


@pytest.mark.promise("U2", "The page stays usable", fault="5,000 documents at once", trials=(1, 1))
def test_thousands_are_listed_before_anybody_waits(
    trials: Trials, place: Place, folder: Callable[..., Drop], request: pytest.FixtureRequest
) -> None:
    many = Size(5_000 if _is_full(request) else 400, 120, SMALLEST)
    for trial in trials:
        shelf = folder(place, trial, many)
        with place.tab(shelf.watched) as page:
            started = time.monotonic()
            with shelf.watched.tracing() as tasks:
                drop(page, shelf.root)
                page.wait_for_selector("[data-virtual-space] > *")
                scroll = "element => { element.scrollTop = 20000; return element.scrollTop; }"
                assert page.locator("[data-virtual]").evaluate(scroll) > 0
                listed = time.monotonic() - started
                shelf.wait_sent(TRACED_SHARE, page)
            shelf.wait_sent(1.0, page)

            trial.measured("s until the list scrolls", listed)
            trial.measured("longest task, ms of processor time", max(tasks))
            shelf.settle(trial, started)
            page.once("dialog", lambda dialog: dialog.accept())
            address = f"{place.stack.url}/api/v1/batches/{shelf.batch}/cancel"
            httpx.post(address, headers=place.auth, timeout=60.0).raise_for_status()


@pytest.mark.promise(
    "U3",
    "A large document goes on where it stopped: at most one part moves twice",
    fault="tab killed at 60 %, dropped again",
    trials=(1, 2),
)
def test_a_large_document_goes_on_where_it_stopped(
    trials: Trials, place: Place, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    size = (300 if _is_full(request) else 80) * 1024**2
    n_parts = math.ceil(size / PART_BYTES)
    for trial in trials:
        root = tmp_path / f"large-{trial.seed}"
        shelf = Drop(place, root, [write_large(root, size, seed=trial.seed)])
        with place.tab(shelf.watched) as page:
            started = time.monotonic()
            enough = math.ceil(0.6 * n_parts)
            shelf.watched.hold_after(enough)
            drop(page, root)
            shelf.wait(partial(shelf.watched.has_stored, enough), "60 % are there", page)
            shelf.watched.leave()

        with place.tab(shelf.watched) as page:
            drop_again(page, root)
            shelf.wait_found(page)

            assert shelf.watched.n_begun <= n_parts + 1
            shelf.settle(trial, started)


def drop_again(page: Page, root: Path) -> None:
    """Find the batch as somebody who comes back does, and drop its folder once more."""
    page.goto("/batches/")
    page.get_by_role("link", name=root.name).first.click()
    page.get_by_role("link", name=re.compile("drop", re.IGNORECASE)).first.click()
    page.wait_for_selector("[data-drop]")
    drop(page, root)


def _is_full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--chaos") == "full")
