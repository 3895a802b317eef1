"""A Sluice before a browser, with a way to its store that can be made bad; and a folder on it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, ViewportSize

from documents.storage.s3_client import S3Options
from tests.browser.conftest import PASSWORD, sign_in
from tests.browser.folders import Made
from tests.browser.watched import Watched
from tests.chaos.faulty_storage import FaultyStorage, proxied
from tests.chaos.trials import Trial
from tests.conftest import new_home
from tests.documents.storage_s3 import CephBackend, options_from
from tests.stack import Stack, free_port

USER = "thousands"
VIEW: ViewportSize = {"width": 1280, "height": 800}
LOOK_SECONDS = 0.5
# What two thousand documents may take on a machine that does everything else as well.
WAIT_SECONDS = 600
SAMPLES = 20


@dataclass(slots=True)
class Place:
    """A Sluice whose way to the store can be made bad, and a browser before it."""

    stack: Stack
    line: FaultyStorage
    url: str
    token: str
    chromium: Browser

    @contextmanager
    def tab(self, watched: Watched) -> Iterator[Page]:
        """Open a signed-in tab under observation; its scripts may not break."""
        context = self.chromium.new_context(base_url=self.url, viewport=VIEW)
        context.set_default_timeout(30_000)
        errors: list[str] = []
        context.on("weberror", lambda error: errors.append(str(error.error)))
        page = context.new_page()
        watched.begin(page)
        sign_in(page, USER)
        # Once it has loaded whole: a drop before its scripts would open the folder instead.
        page.goto("/")
        yield page
        context.close()
        assert errors == []

    @property
    def auth(self) -> dict[str, str]:
        """The header that calls of the API carry."""
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **query: Any) -> Any:
        """Ask the API directly, past the line."""
        url = f"{self.stack.url}/api/v1{path}"
        answer = httpx.get(url, params=query, headers=self.auth, timeout=30)
        return answer.raise_for_status().json()


@dataclass(slots=True)
class Drop:
    """One folder on its way into one batch."""

    place: Place
    root: Path
    made: list[Made]
    watched: Watched = field(default_factory=Watched)
    _batch: str = ""

    @property
    def batch(self) -> str:
        """The batch's id, or nothing before the page has made it."""
        if not self._batch:
            batches = self.place.get("/batches")["results"]
            named = [each["id"] for each in batches if each["name"] == self.root.name]
            self._batch = next(iter(named), "")
        return self._batch

    @property
    def counts(self) -> dict[str, int]:
        """How many documents of the batch are in which state."""
        if not self.batch:
            return {}
        return dict(self.place.get(f"/batches/{self.batch}")["progress"]["counts"])

    def share_sent(self) -> float:
        """Return which share of the documents is at the store."""
        counts = self.counts
        waiting = counts.get("awaiting", 0)
        return (sum(counts.values()) - waiting) / len(self.made) if counts else 0.0

    def wait(self, reached: Callable[[], bool], what: str, page: Page | None = None) -> None:
        """Look twice a second, at the page's memory too."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not reached():
            assert time.monotonic() < deadline, f"Waited in vain until {what}: {self.counts}"
            if page is None:
                time.sleep(LOOK_SECONDS)
            else:
                self.watched.look()
                page.wait_for_timeout(LOOK_SECONDS * 1000)

    def wait_sent(self, share: float, page: Page) -> None:
        """Wait until so much of it is at the store."""
        self.wait(lambda: self.share_sent() >= share, f"{share:.0%} are there", page)

    def wait_found(self, page: Page | None = None) -> None:
        """Wait until each document is searchable, and find some by a word only they have."""
        self.wait(
            lambda: self.counts.get("searchable", 0) == len(self.made), "all are searchable", page
        )
        for made in [*self.made[:: max(1, len(self.made) // SAMPLES)], self.made[-1]]:
            hits = self.place.get("/search", q=made.word, mode="keyword")["hits"]
            assert [hit["path"] for hit in hits[:1]] == [made.path]

    def settle(self, trial: Trial, started: float) -> None:
        """Check that nothing was sent twice, and note what was measured."""
        assert self.watched.sent_twice() == {}
        trial.recovered(time.monotonic() - started)
        trial.measured("peak heap MB", self.watched.peak_heap_bytes / 1e6)
        trial.measured("longest pause ms", self.watched.longest_pause_ms)
        trial.measured("refused PUTs", self.watched.refused.total())


@contextmanager
def place_on(store: str, chromium: Browser, **environment: str) -> Iterator[Place]:
    """A Sluice on this store; the browser's way to the bytes leads through the proxy."""
    with ExitStack() as opened:
        home, port = new_home(), free_port()
        if store == "s3":
            options = options_from(os.environ[CephBackend.variable])
            line = opened.enter_context(proxied(options.endpoint_url, only="PUT "))
            environment |= _settings_of(options, line.url)
        else:
            line = opened.enter_context(
                proxied(f"http://127.0.0.1:{port}", only="PUT /storage/incoming/")
            )
        sluice = Stack(home, port=port, **environment)
        opened.callback(sluice.stop)
        sluice.start()
        sluice.wait_ready()
        if store == "s3":
            sluice.manage("configure_bucket", "--origin", sluice.url)
        url = sluice.url if store == "s3" else line.url
        yield Place(sluice, line, url, sluice.create_user(USER, PASSWORD), chromium)


def _settings_of(options: S3Options, public_url: str) -> dict[str, str]:
    return {
        "STORAGE_BACKEND": "s3",
        "S3_ENDPOINT_URL": options.endpoint_url,
        "S3_PUBLIC_ENDPOINT_URL": public_url,
        "S3_BUCKET": options.bucket,
        "S3_REGION": options.region,
        "S3_ACCESS_KEY_ID": options.access_key_id,
        "S3_SECRET_ACCESS_KEY": options.secret_access_key,
        "S3_ADDRESSING_STYLE": "path",
    }
