"""What a page does while thousands of documents go through it: bytes, memory, pauses."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.core.signing import b64_decode
from playwright.sync_api import CDPSession, Page, Request, Response, Route

PUT_PATH = re.compile(r"/incoming/")
# Buffered, so that what happened before the observer is told as well.
WATCH_PAUSES = """
window.__pauses = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.__pauses.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
"""


# Without slots: the browser driver keeps its own notes on whose methods it calls.
@dataclass
class Watched:
    """One upload under observation, over all the tabs it takes.

    `stored` counts accepted PUTs by object, `refused` the others by status, 0 for none.
    """

    stored: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    limited: int = 0
    n_begun: int = 0
    peak_heap_bytes: int = 0
    _page: Page | None = None
    _session: CDPSession | None = None
    _longest_ms: float = 0

    def begin(self, page: Page) -> None:
        """Watch a new tab, from its next navigation on."""
        self._page = page
        page.add_init_script(WATCH_PAUSES)
        page.on("response", self._note)
        page.on("requestfailed", self._note_failed)
        page.on("request", self._note_begun)
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def hold_after(self, n: int) -> None:
        """Let `n` transfers of the tab through and keep the rest waiting for ever."""
        assert self._page is not None
        seen = itertools.count(1)

        def handle(route: Route) -> None:
            if route.request.method != "PUT" or next(seen) <= n:
                route.continue_()

        self._page.route(PUT_PATH, handle)

    def leave(self) -> None:
        """Remember what is known of a tab that is about to be closed."""
        self._longest_ms = self.longest_pause_ms

    def look(self) -> None:
        """Take a sample of the heap."""
        assert self._session is not None
        metrics: Any = self._session.send("Performance.getMetrics")
        used = {each["name"]: each["value"] for each in metrics["metrics"]}["JSHeapUsedSize"]
        self.peak_heap_bytes = max(self.peak_heap_bytes, int(used))

    @contextmanager
    def tracing(self) -> Iterator[list[float]]:
        """Give the milliseconds of processor time that each task of the main thread took.

        The list is filled when the context ends. What a task waits for a processor is no
        part of it: here the browser shares two with all of Sluice.
        """
        assert self._page is not None
        browser = self._page.context.browser
        assert browser is not None
        tasks: list[float] = []
        browser.start_tracing(page=self._page, categories=["toplevel"])
        yield tasks
        tasks += _main_tasks(json.loads(browser.stop_tracing())["traceEvents"])

    @property
    def longest_pause_ms(self) -> float:
        """The longest pause of the main thread so far; those under 50 ms are not told."""
        assert self._page is not None
        longest = self._page.evaluate("Math.max(0, ...window.__pauses)")
        return max(self._longest_ms, float(longest))

    def has_stored(self, n: int) -> bool:
        """Tell whether so many objects or parts were accepted."""
        return self.stored.total() >= n

    def sent_twice(self) -> dict[str, int]:
        """Return the objects that were accepted more than once, which is a waste of bytes."""
        return {key: n for key, n in self.stored.items() if n > 1}

    def _note_begun(self, request: Request) -> None:
        self.n_begun += request.method == "PUT"

    def _note(self, response: Response) -> None:
        if response.status == 429:
            self.limited += 1
        if response.request.method != "PUT" or not PUT_PATH.search(response.url):
            return
        if response.ok:
            self.stored[_object_of(response.url)] += 1
        else:
            self.refused[response.status] += 1

    def _note_failed(self, request: Request) -> None:
        if request.method == "PUT":
            self.refused[0] += 1


def _main_tasks(events: list[dict[str, Any]]) -> list[float]:
    """Return the processor time of each task of the busiest renderer, in milliseconds."""
    mains = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    tasks: dict[tuple[int, int], list[float]] = {}
    for each in events:
        thread = (each["pid"], each["tid"])
        if thread in mains and each["name"].endswith("RunTask") and "tdur" in each:
            tasks.setdefault(thread, []).append(each["tdur"] / 1000)
    return max(tasks.values(), key=len)


def _object_of(url: str) -> str:
    """Return which document's bytes, and which part of them, a signed URL takes."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    document = parts.path.rpartition("/incoming/")[2].partition("/")[0]
    number = query.get("partNumber")
    if "t" in query:
        # The local store has it in the token, which is signed and not secret.
        number = json.loads(b64_decode(query["t"].partition(":")[0].encode())).get("number")
    return f"{document}/{number or 1}"
