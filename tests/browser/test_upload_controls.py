"""Choose documents of a running upload, pause them, cancel them, see what it waits for."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.test_main_job import DOCUMENTS, DONE_MS, drop, expect_phase, make_folder

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(420)]

FOLDER = "year-2/month-1"


def hold_puts(page: Page) -> Callable[[], None]:
    """Keep every upload waiting; return what lets them all go."""
    held: list[Route] = []
    is_open = False

    def handle(route: Route) -> None:
        if is_open:
            route.continue_()
        else:
            held.append(route)

    def release() -> None:
        nonlocal is_open
        is_open = True
        for route in held:
            route.continue_()

    page.route(re.compile("/storage/incoming/"), handle)
    return release


def documents_in(folder: Path) -> int:
    return sum(1 for path in folder.iterdir() if path.is_file())


def choose(page: Page, folder: str) -> None:
    """Choose everything in one folder of the list, which shows only that."""
    page.locator("[data-find]").fill(folder)
    page.locator(".row--folder").filter(has_text=folder).locator("[data-check]").click()


def test_a_chosen_folder_waits_while_the_rest_goes_on(page: Page, tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "paused")
    release = hold_puts(page)
    page.goto("/")
    drop(page, folder)
    chosen = documents_in(folder / FOLDER)

    choose(page, FOLDER)
    expect(page.locator("[data-chosen]")).to_have_text(f"{chosen} selected")
    page.locator("[data-act=pause]").click()
    release()

    uploaded = page.locator('[data-phase="uploading"] [data-done]')
    expect(uploaded).to_have_text(str(DOCUMENTS - chosen), timeout=DONE_MS)
    expect(page.locator(".row [data-status]", has_text="Paused")).to_have_count(chosen)

    page.locator("[data-act=resume]").click()
    expect_phase(page, "searchable", DOCUMENTS)
    expect(page.locator("[data-closable]")).to_be_visible()


def test_a_chosen_folder_is_cancelled_and_the_rest_arrives(page: Page, tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "dropped")
    release = hold_puts(page)
    page.goto("/")
    drop(page, folder)
    chosen = documents_in(folder / FOLDER)
    page.on("dialog", lambda dialog: dialog.accept())

    choose(page, FOLDER)
    page.locator("[data-act=cancel]").click()
    release()

    outcome = page.locator("[data-closable] [data-outcome-line]")
    expect(outcome).to_have_text(f"{DOCUMENTS - chosen} sent, {chosen} cancelled.", timeout=DONE_MS)
    cancelled = page.locator("[data-outcome=cancelled] [data-count]")
    expect(cancelled).to_have_text(str(chosen), timeout=DONE_MS)


def test_everything_pauses_and_goes_on_by_one_button(page: Page, tmp_path: Path) -> None:
    release = hold_puts(page)
    page.goto("/")
    drop(page, make_folder(tmp_path, "still"))
    button = page.locator("[data-pause]")

    button.click()
    expect(button).to_have_text("Resume")
    expect(page.locator("[data-run-line]")).to_contain_text("Paused")
    release()
    button.click()

    expect(button).to_have_text("Pause")
    expect_phase(page, "searchable", DOCUMENTS)


def test_a_server_that_asks_to_slow_down_is_named_with_the_seconds(
    page: Page, tmp_path: Path
) -> None:
    asked = 0

    def throttle(route: Route) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            route.continue_()
            return
        problem = '{"code": "rate_limit", "status": 429, "detail": "Too many calls."}'
        route.fulfill(
            status=429,
            body=problem,
            content_type="application/problem+json",
            headers={"Retry-After": "4"},
        )

    page.route(re.compile(r"/batches/[^/]+/uploads$"), throttle)
    page.goto("/")
    drop(page, make_folder(tmp_path, "throttled"))

    line = page.locator("[data-run-line]")
    expect(line).to_have_text(re.compile(r"^The server asked to slow down\. Going on in \d+ s\.$"))
    expect_phase(page, "searchable", DOCUMENTS)
    assert asked > 1


def test_the_list_is_walked_and_chosen_from_by_keys(page: Page, tmp_path: Path) -> None:
    release = hold_puts(page)
    page.goto("/")
    drop(page, make_folder(tmp_path, "keys"))
    tree = page.get_by_role("tree")
    press = page.keyboard.press

    tree.focus()
    first = page.locator('.row[data-index="0"]')
    expect(first).to_have_class(re.compile("row--active"))
    press("ArrowLeft")
    expect(first).to_have_attribute("aria-expanded", "false")
    press("ArrowRight")
    press("ArrowDown")
    press(" ")
    press("Shift+ArrowDown")
    press("Shift+ArrowDown")

    expect(page.locator("[data-chosen]")).to_have_text("3 selected")
    active: Any = tree.get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute("aria-checked", "true")
    expect(first).to_have_attribute("aria-checked", "mixed")
    press("Escape")
    expect(page.locator("[data-chosen]")).to_have_text(f"{DOCUMENTS} documents")
    release()
    expect_phase(page, "searchable", DOCUMENTS)


def test_a_remembered_folder_is_gone_on_with_without_another_drop(
    page: Page, tmp_path: Path
) -> None:
    hold_puts(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/")
    drop(page, make_folder(tmp_path, "recalled"))
    expect(page.locator("[data-run-line]")).to_contain_text("Uploading")
    page.unroute_all(behavior="ignoreErrors")

    page.goto("/batches/")
    page.get_by_role("link", name="recalled").first.click()
    missing = page.locator("[data-gaps-text]")
    expect(missing).to_have_text(f"{DOCUMENTS} of {DOCUMENTS} are waiting for their bytes.")
    page.get_by_role("button", name="Go on without dropping").click()

    expect_phase(page, "searchable", DOCUMENTS)
    expect(page.locator("[data-closable]")).to_be_visible()
