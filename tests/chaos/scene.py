"""An installation, somebody who uses it, and what they do there."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from documents.storage.interface import Storage
from tests.chaos import library
from tests.chaos.client import PAUSE_SECONDS, Drop
from tests.chaos.installation import Installation
from tests.chaos.listener import Listener, sign_in
from tests.chaos.oracle import Oracle
from tests.chaos.trials import Trial
from tests.stack import wait_until

# How many make a batch that can be struck in its midst; all of them where all is tried.
DOCUMENTS = {"few": 30, "full": 60}


@dataclass(slots=True)
class Scene:
    """An installation with somebody signed in to it."""

    installation: Installation
    storage: Storage
    username: str
    token: str
    cookie: str
    n_documents: int
    _listeners: list[Listener] = field(default_factory=list)

    def drop(self, trial: Trial, n: int = 0, **options: Any) -> Drop:
        """Start to drop `n` documents or the usual; the trial's seed decides their words."""
        documents = library.folder(trial.random, n or self.n_documents)
        name = f"Trial {trial.seed}"
        drop = Drop(self.installation.url, self.token, name, documents, **options)
        drop.start()
        wait_until(lambda: drop.batch or drop.failure, "the batch is open", seconds=60)
        return drop

    def watch(self, drop: Drop, *, listen: bool = True, listener: Listener | None = None) -> Oracle:
        """Follow a batch, with a page open on it."""
        if listen:
            listener = listener or Listener(self.installation.url, self.cookie, drop.batch)
            listener.start()
            self._listeners.append(listener)
        return Oracle(self.installation, self.storage, drop, listener)

    def searchable(self, batch: str) -> int:
        """Return how many documents of the batch are found, whatever optional is left to do."""
        rows = self.installation.rows(
            "select count(*) from documents_document where batch_id = %s "
            "and embedded_at is not null and status in ('processing', 'ready', 'partial')",
            batch,
        )
        return int(rows[0][0])

    def wait_searchable(self, batch: str, n: int, seconds: float = 90) -> None:
        wait_until(
            lambda: self.searchable(batch) >= n, f"{n} documents are searchable", seconds=seconds
        )

    def wait_ready(self, batch: str, n: int, seconds: float = 180) -> None:
        """Return once everything is done for `n` documents, and the batch has no other."""
        wait_until(
            lambda: self.counts(batch) == {"ready": n},
            f"all {n} documents are ready",
            seconds=seconds,
        )

    def settle(self, oracle: Oracle, seconds: float = 180) -> None:
        """Wait for the end of a batch, and hold everything against what is known of it."""
        oracle.drop.wait()
        oracle.wait_finished(seconds)
        problems = oracle.problems()
        assert not problems, "\n".join(problems)

    def drop_documents(self, name: str, documents: Mapping[str, bytes], **options: Any) -> Drop:
        """Drop these documents and wait until they are acknowledged."""
        drop = Drop(self.installation.url, self.token, name, documents, **options)
        drop.start()
        drop.wait()
        return drop

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"{self.installation.url}/api/v1/{path}"
        return httpx.request(method, address, json=body or {}, headers=headers, timeout=30)

    def insist(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call until the answer is no error of the server's."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = self.call(method, path, body)
            except httpx.HTTPError:
                time.sleep(PAUSE_SECONDS)  # Pacing: the server is being started again.
                continue
            if not answer.is_server_error:
                return answer
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"{method} {path} never answered")

    def counts(self, batch: str) -> dict[str, int]:
        """Count the documents of a batch themselves, by status."""
        return dict(
            self.installation.rows(
                "select status, count(*) from documents_document where batch_id = %s group by 1",
                batch,
            )
        )

    def settle_quickly(self, drop: Drop) -> None:
        """Wait for the end of a batch, and no more."""
        drop.wait()
        self.wait_ready(drop.batch, len(drop.documents))

    def stored_keys(self, batch: str) -> list[str]:
        """Return where the bytes of a batch lie, and the pictures that were made of them."""
        rows = self.installation.rows(
            "select stored_key, workspace_id, sha256 from documents_document "
            "where batch_id = %s and stored_key <> ''",
            batch,
        )
        pictures = [
            key
            for _, workspace, sha256 in rows
            for key, _ in self.storage.list(f"derived/{workspace}/{sha256}/")
        ]
        return [row[0] for row in rows] + pictures

    def stop_listening(self) -> None:
        for listener in self._listeners:
            listener.stop()


@contextmanager
def signed_in(
    installation: Installation, storage: Storage, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    """The installation whole and unarmed, and a user of this test's own; logs when it fails."""
    installation.disarm()
    installation.wait_ready()
    username = f"user{abs(hash(request.node.nodeid)) % 10**8}"
    token = installation.create_user(username)
    cookie = sign_in(installation.url, username, username)
    n_documents = DOCUMENTS[request.config.getoption("--chaos")]
    found = Scene(installation, storage, username, token, cookie, n_documents)
    failed_before = request.session.testsfailed
    yield found
    found.stop_listening()
    installation.disarm()
    if request.session.testsfailed > failed_before:
        installation.show_logs()
