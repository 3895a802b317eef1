"""A client of the API, as somebody else would write one."""

import hashlib
import time
from collections.abc import Mapping
from typing import Any

import httpx

WINDOW = 500


class ApiClient:
    """Talks to a running Sluice with a token."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        # Signed URLs need no token, and must work without one.
        self.storage = httpx.Client(base_url=url, timeout=60)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(f"/api/v1/{path}", params=params)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.http.post(f"/api/v1/{path}", json=body if body is not None else {})

    def drop(self, name: str, documents: Mapping[str, bytes], *, complete: bool = True) -> str:
        """Upload documents by path, as one batch; return its id."""
        body = {"name": name, "expected_documents": len(documents)}
        batch = str(self._ok(self.post("batches", body))["id"])
        paths = list(documents)
        for start in range(0, len(paths), WINDOW):
            window = paths[start : start + WINDOW]
            uploads = self.register(batch, {path: documents[path] for path in window})
            for upload in uploads:
                self.put(upload, documents[upload["client_key"]])
            if complete:
                self.complete(batch, [upload["id"] for upload in uploads])
        return batch

    def register(self, batch: str, documents: Mapping[str, bytes]) -> list[dict[str, Any]]:
        declared = [
            {
                "client_key": path,
                "path": path,
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            for path, content in documents.items()
        ]
        answer = self._ok(self.post(f"batches/{batch}/uploads", {"documents": declared}))
        uploads: list[dict[str, Any]] = answer["documents"]
        return uploads

    def put(self, upload: Mapping[str, Any], content: bytes) -> None:
        if upload["upload"] is None:
            return
        target = upload["upload"]
        if "multipart" in target:
            size = target["multipart"]["part_size"]
            for part in target["multipart"]["parts"]:
                start = (part["number"] - 1) * size
                self._put_to(part, content[start : start + size])
        else:
            self._put_to(target, content)

    def _put_to(self, target: Mapping[str, Any], content: bytes) -> None:
        answer = self.storage.put(target["url"], content=content, headers=target["headers"])
        # Local storage says created, S3 says OK.
        assert answer.status_code in {200, 201}, answer.text

    def complete(self, batch: str, ids: list[str]) -> dict[str, Any]:
        body = {"documents": [{"id": document_id} for document_id in ids]}
        return self._ok(self.post(f"batches/{batch}/complete", body))

    def progress(self, batch: str) -> dict[str, Any]:
        progress: dict[str, Any] = self._ok(self.get(f"batches/{batch}"))["progress"]
        return progress

    def documents(self, batch: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self._ok(self.get("documents", batch=batch, limit=500, cursor=cursor))
            found += page["results"]
            cursor = page["next"]
        return found

    def wait_until(self, batch: str, *, seconds: float = 120, **at_least: int) -> dict[str, Any]:
        """Return the progress once each named count is reached; fail at the deadline."""
        deadline = time.monotonic() + seconds
        while True:
            progress = self.progress(batch)
            if all(progress["counts"][name] >= n for name, n in at_least.items()):
                return progress
            assert time.monotonic() < deadline, f"Waited {seconds} s for {at_least}: {progress}"
            time.sleep(0.1)

    @staticmethod
    def _ok(answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code < 300, f"{answer.status_code} {answer.text}"
        body: dict[str, Any] = answer.json()
        return body
