"""What a machine can find wrong with the pages for people who see or move otherwise: nothing.

axe-core tries each page in both themes and at two widths, with documents in it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.api_client import ApiClient
from tests.browser.conftest import sign_in
from tests.browser.test_main_job import DONE_MS, drop
from tests.stack import Stack, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(300)]

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (1280, 390)
PLACES = ("/", "/batches/", "/library/", "/search/?q=gate", "/search/?q=nothingofthekind")
DROPPED = 12
UNFOLD = "all => all.forEach(each => { each.open = true; })"


@pytest.fixture(scope="module")
def filled(chromium: Browser, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Somebody with a batch in which one document failed; return their name."""
    client = ApiClient(stack.url, stack.create_user("able", "correct-horse-battery"))
    root = tmp_path_factory.mktemp("able") / "shelf"
    make_shelf(root)
    context = chromium.new_context(base_url=stack.url)
    page = context.new_page()
    sign_in(page, "able")
    page.goto("/")
    drop(page, root)
    done = page.locator('[data-phase="searchable"] [data-done]')
    expect(done).to_have_text(str(DROPPED), timeout=DONE_MS)
    context.close()
    # With its pictures, and with what it mentions.
    wait_until(lambda: statuses(client) == {"ready", "failed"}, "all is done", seconds=120)
    return "able"


def statuses(client: ApiClient) -> set[str]:
    return {document["status"] for document in client.get("documents").json()["results"]}


def make_shelf(root: Path) -> None:
    """Write DROPPED documents that no other folder has, and a broken one."""
    for n in range(DROPPED - 1):
        folder = root / f"year-{n % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        # An address without a space in it, wider than any column.
        link = f"https://example.org/{'gate' * 30}/{n}"
        text = f"The gate {n} was opened. Ask gate@example.org about {root.name}: {link}"
        (folder / f"report-{n}.md").write_text(f"# Report {n}\n\n{text}\n")
    Image.new("RGB", (640, 480), f"#{uuid4().hex[:6]}").save(root / "photo.png")
    (root / "broken.pdf").write_bytes(f"%PDF-1.7\nno more than {root.name}".encode())


@pytest.fixture(params=[(theme, width) for theme in THEMES for width in WIDTHS], ids=str)
def page(
    request: pytest.FixtureRequest, chromium: Browser, stack: Stack, filled: str
) -> Iterator[Page]:
    """A signed-in page in one theme at one width."""
    theme, width = request.param
    context = chromium.new_context(
        base_url=stack.url, viewport=ViewportSize(width=width, height=900), color_scheme=theme
    )
    context.set_default_timeout(30_000)
    opened = context.new_page()
    sign_in(opened, filled)
    yield opened
    context.close()


def faults_of(page: Page) -> list[str]:
    """Return what axe finds, a line for each rule that is broken and where."""
    found: dict[str, Any] = Axe().run(page).response
    return [
        f"{page.url}: {each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def sticking_out(page: Page) -> list[str]:
    """Return what is wider than the room that the page gives its contents."""
    wide = page.locator("main").evaluate("main => main.scrollWidth - main.clientWidth")
    return [f"{page.url}: {wide} px too wide"] if wide > 0 else []


def test_every_page_is_for_everybody(page: Page) -> None:
    faults: list[str] = []
    for place in (*PLACES, *linked(page)):
        page.goto(place)
        page.wait_for_load_state("networkidle")
        page.locator("details:not([data-menu])").evaluate_all(UNFOLD)
        faults += faults_of(page) + sticking_out(page)

    assert faults == []


def linked(page: Page) -> list[str]:
    """Return the addresses of a batch, of a found document, of a failed one and of an image."""
    page.goto("/batches/")
    batch = page.get_by_role("link", name="shelf").first.get_attribute("href")
    page.goto("/search/?q=gate")
    found = page.locator(".hit").first.get_by_role("link").first.get_attribute("href")
    page.goto("/library/?show=trouble")
    failed = page.get_by_role("link", name="broken.pdf").first.get_attribute("href")
    page.goto("/library/")
    image = page.get_by_role("link", name="photo.png").first.get_attribute("href")
    return [each for each in (batch, found, failed, image) if each]


def test_the_way_in_is_for_everybody(chromium: Browser, stack: Stack) -> None:
    context = chromium.new_context(base_url=stack.url)
    page = context.new_page()
    page.goto("/login/")

    faults = faults_of(page)

    context.close()
    assert faults == []


def test_an_upload_under_way_is_for_everybody(page: Page, tmp_path: Path) -> None:
    # What the workspace has already would not have to move.
    root = tmp_path / f"again-{uuid4().hex}"
    make_shelf(root)
    # Bytes that never arrive keep everything on the page that shows while they move.
    page.route("**/storage/incoming/**", lambda route: None)
    page.goto("/")
    drop(page, root)
    expect(page.locator('[data-phase="uploading"] [data-total]')).to_have_text(str(DROPPED + 1))

    assert faults_of(page) == []
