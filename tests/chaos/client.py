"""A person's browser during a storm: it tries everything again until it is acknowledged."""

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx

from tests.stack import wait_until

PATIENCE_SECONDS = 240.0
PAUSE_SECONDS = 0.3
# What the server still waits for, or was told to forget, it has not acknowledged.
OPEN = {"awaiting", "cancelled", "expired"}
# The bytes are there already: an answer to an earlier try was lost on its way.
DONE = {httpx.codes.CREATED, httpx.codes.OK, httpx.codes.PRECONDITION_FAILED}


class Drop(threading.Thread):
    """One folder on its way in; a thread, so that a test may strike meanwhile."""

    def __init__(
        self,
        url: str,
        token: str,
        name: str,
        documents: Mapping[str, bytes],
        *,
        window: int = 20,
        completes: bool = True,
    ) -> None:
        super().__init__(name=f"drop-{name}", daemon=True)
        self.batch = ""
        self.documents = dict(documents)
        # What the server has said it has: from then on it must never be lost.
        self.acknowledged: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self.without_retry_after = 0
        self.failure: BaseException | None = None
        self._name, self._window, self._completes = name, window, completes
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        headers = {"Authorization": f"Bearer {token}"}
        self._api = httpx.Client(base_url=url, headers=headers, timeout=20)
        self._storage = httpx.Client(base_url=url, timeout=20)

    def run(self) -> None:
        try:
            body = {"name": self._name, "expected_documents": len(self.documents)}
            self.batch = str(self._call("POST", "batches", body)["id"])
            paths = list(self.documents)
            for start in range(0, len(paths), self._window):
                self._send(paths[start : start + self._window])
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._api.close()
            self._storage.close()

    def wait_acknowledged(self, n: int) -> None:
        """Return once the server has taken note of `n` documents."""
        wait_until(
            lambda: len(self.acknowledged) >= n or self.failure,
            f"{n} documents are acknowledged",
            seconds=PATIENCE_SECONDS,
        )
        assert self.failure is None, self.failure

    def wait(self) -> None:
        """Return once everything is acknowledged."""
        self.wait_acknowledged(len(self.documents))
        self.join()

    def _send(self, paths: list[str]) -> None:
        """Register, put and complete until nothing of the window is left to do."""
        while left := [path for path in paths if path not in self.acknowledged]:
            assert time.monotonic() < self._deadline, f"{len(left)} were never acknowledged"
            declared = {"documents": [self._declare(path) for path in left]}
            answer = self._call("POST", f"batches/{self.batch}/uploads", declared)
            if "documents" not in answer:
                self._pause()  # Somebody has cancelled the batch, and may resume it.
                continue
            keys = {one["id"]: one["client_key"] for one in answer["documents"]}
            sent = []
            for one in answer["documents"]:
                if one["upload"] is None:
                    self._acknowledge(one["client_key"], one)
                elif self._put(one["upload"], self.documents[one["client_key"]]):
                    sent.append(one["id"])
            if not self._completes:
                return  # The tab is closed: somebody else has to notice.
            if sent:
                body = {"documents": [{"id": document_id} for document_id in sent]}
                answer = self._call("POST", f"batches/{self.batch}/complete", body)
                # A refusal of all is a problem without documents: registered and sent again.
                for one in answer.get("documents", []):
                    self._acknowledge(keys[one["id"]], one)

    def _acknowledge(self, key: str, told: Mapping[str, Any]) -> None:
        if told["status"] in OPEN:
            self._pause()
        else:
            self.acknowledged[key] = told["id"]

    def _declare(self, path: str) -> dict[str, Any]:
        content = self.documents[path]
        digest = hashlib.sha256(content).hexdigest()
        return {"client_key": path, "path": path, "size": len(content), "sha256": digest}

    def _put(self, target: Mapping[str, Any], content: bytes) -> bool:
        """Send what is asked for, whole or in parts; asking again tells what is missing still."""
        if "multipart" not in target:
            return self._put_one(target, content)
        size = target["multipart"]["part_size"]
        for part in target["multipart"]["parts"]:
            start = (part["number"] - 1) * size
            if not self._put_one(part, content[start : start + size]):
                return False
        return True

    def _put_one(self, target: Mapping[str, Any], content: bytes) -> bool:
        try:
            answer = self._storage.put(target["url"], content=content, headers=target["headers"])
        except httpx.HTTPError:
            self._pause()
            return False
        self._note(answer)
        return answer.status_code in DONE

    def _call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """Call until there is an answer that means something."""
        while True:
            assert time.monotonic() < self._deadline, f"{method} {path} never answered"
            try:
                answer = self._api.request(method, f"/api/v1/{path}", json=body)
            except httpx.HTTPError:
                self._pause()
                continue
            self._note(answer)
            if not answer.is_server_error:
                found: dict[str, Any] = answer.json()
                return found
            self._pause()

    def _note(self, answer: httpx.Response) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.without_retry_after += "Retry-After" not in answer.headers

    def _pause(self) -> None:
        # Pacing, not a wait for something to be right: the server is away.
        time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))
