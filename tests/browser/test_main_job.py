"""Drop a folder, see it go, close the tab, find a sentence: as a person does it."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from reportlab.pdfgen.canvas import Canvas

from tests.browser.conftest import sign_in
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(420)]

DOCUMENTS = 60
SENTENCE = "The copper kingfisher sleeps beneath the seventh sluice"
FINDABLE_PAGE = 3
DONE_MS = 180_000


def make_folder(at: Path, name: str) -> Path:
    """Make a nested folder of DOCUMENTS documents, one of them a PDF with SENTENCE on a page."""
    root = at / name
    for n in range(DOCUMENTS - 1):
        folder = root / f"year-{n % 4}" / f"month-{n % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"# {name} report {n}\n\n" + f"The gate number {n} of {name} was opened. " * 30
        (folder / f"report-{n}.md").write_text(text)
    write_pdf(root / "year-1" / "survey.pdf", name)
    return root


def write_pdf(path: Path, name: str) -> None:
    canvas = Canvas(str(path))
    for number in range(1, 5):
        canvas.drawString(72, 720, f"Survey of the canal, {name}, page {number}.")
        if number == FINDABLE_PAGE:
            canvas.drawString(72, 690, f"{SENTENCE}.")
        canvas.showPage()
    canvas.save()


def drop(page: Page, folder: Path) -> None:
    """Drop a folder on the page the way the desktop does: as a path, by the browser itself."""
    box: Any = page.locator("[data-drop]").bounding_box()
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})


def expect_phase(page: Page, name: str, done: int) -> None:
    phase = page.locator(f'[data-phase="{name}"]')
    expect(phase.locator("[data-done]")).to_have_text(str(done), timeout=DONE_MS)
    expect(phase.locator("[data-total]")).to_have_text(str(done))


def test_a_dropped_folder_is_uploaded_processed_and_found(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    drop(page, make_folder(tmp_path, "harbour"))

    for phase in ("uploading", "processing", "searchable"):
        expect_phase(page, phase, DOCUMENTS)
    expect(page.locator("[data-live]")).to_have_attribute("data-live", "live")
    expect(page.locator("[data-closable]")).to_be_visible()

    page.goto("/search/?q=where+does+the+copper+kingfisher+sleep")
    hit = page.locator(".hit").first
    expect(hit.locator("mark").first).to_be_visible()
    expect(hit).to_contain_text(f"Page {FINDABLE_PAGE}")
    hit.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(rf"page={FINDABLE_PAGE}&.*#page-{FINDABLE_PAGE}$"))
    opened = page.locator(f"#page-{FINDABLE_PAGE}")
    expect(opened).to_be_in_viewport()
    expect(opened).to_contain_text(SENTENCE)
    expect(opened.locator("mark").first).to_be_visible()


def test_a_tab_closed_half_way_leaves_a_batch_that_can_be_finished(
    page: Page, tmp_path: Path, stack: Stack, reader: str
) -> None:
    folder = make_folder(tmp_path, "closed")
    page.goto("/")
    # Bytes move slowly enough to leave in the middle of them.
    hold_puts_after(page, DOCUMENTS // 2)
    drop(page, folder)
    uploaded = "Number(document.querySelector('[data-phase=uploading] [data-done]').textContent)"
    page.wait_for_function(f"n => {uploaded} >= n", arg=DOCUMENTS // 4)
    browser = page.context.browser
    assert browser is not None
    page.close(run_before_unload=False)

    again = browser.new_context(base_url=stack.url).new_page()
    sign_in(again, reader)
    again.goto("/batches/")
    again.get_by_role("link", name="closed").first.click()
    missing = again.locator("[data-gaps-text]")
    expect(missing).to_have_text(re.compile(rf"^\d+ of {DOCUMENTS} are waiting for their bytes\.$"))
    again.get_by_role("link", name=re.compile("drop", re.IGNORECASE)).first.click()
    again.wait_for_selector("[data-drop]")
    sent: list[str] = []
    again.on(
        "request", lambda request: sent.append(request.url) if request.method == "PUT" else None
    )
    drop(again, folder)

    expect_phase(again, "searchable", DOCUMENTS)
    # Only the gaps were sent.
    assert 0 < len(sent) < DOCUMENTS
    here = DOCUMENTS - len(sent)
    outcome = again.locator("[data-closable] [data-outcome-line]")
    expect(outcome).to_have_text(f"{here} were here already, {len(sent)} sent.")
    again.context.close()


def hold_puts_after(page: Page, n: int) -> None:
    """Let `n` uploads through and keep the rest waiting for ever."""
    seen = 0

    def handle(route: Any) -> None:
        nonlocal seen
        seen += 1
        if seen <= n:
            route.continue_()

    page.route(re.compile("/storage/incoming/"), handle)


def test_a_batch_whose_bytes_all_arrived_finishes_without_its_tab(
    page: Page, tmp_path: Path, stack: Stack, reader: str
) -> None:
    page.goto("/")
    drop(page, make_folder(tmp_path, "gone"))
    expect(page.locator("[data-closable]")).to_be_visible(timeout=DONE_MS)
    browser = page.context.browser
    assert browser is not None
    page.close()

    again = browser.new_context(base_url=stack.url).new_page()
    sign_in(again, reader)
    again.goto("/batches/")
    again.get_by_role("link", name="gone").first.click()

    # The page is not reloaded: what it shows came to it.
    expect_phase(again, "searchable", DOCUMENTS)
    again.context.close()


def test_without_a_socket_the_page_polls(page: Page, tmp_path: Path) -> None:
    page.route_web_socket(re.compile("/ws/"), lambda socket: socket.close())
    page.goto("/")
    drop(page, make_folder(tmp_path, "polled"))

    expect(page.locator("[data-live]")).to_have_attribute("data-live", "polling", timeout=DONE_MS)
    expect_phase(page, "searchable", DOCUMENTS)
