"""A real Chromium against a real Sluice."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.stack import Stack

# Root may not use Chromium's own sandbox; the rest keeps it from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct-horse-battery"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip by name where no Chromium is installed, but never in CI."""
    if shutil.which("chromium") or os.environ.get("CI"):
        return
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.skip(reason="no chromium on PATH"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module; each opens its own profile in it.

    Not for the session: while it is open, this thread counts as running an event
    loop, and no other test could run one.
    """
    executable = shutil.which("chromium")
    assert executable, "Chromium is not installed (apt-get install chromium)."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reader(stack: Stack) -> str:
    """A user of the stack; return the name to sign in with."""
    stack.create_user("reader", PASSWORD)
    return "reader"


@pytest.fixture
def page(chromium: Browser, stack: Stack, reader: str, tmp_path: Path) -> Iterator[Page]:
    """A page that is signed in; errors of its scripts fail the test."""
    context = chromium.new_context(base_url=stack.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda said: errors.append(said.text) if is_fault(said) else None)
    sign_in(opened, reader)
    yield opened
    context.close()
    assert errors == []


def is_fault(said: ConsoleMessage) -> bool:
    """Return whether this is an error of the page; "slow down" is an answer like others."""
    return said.type == "error" and "status of 429" not in said.text


def sign_in(page: Page, username: str) -> None:
    page.goto("/login/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
