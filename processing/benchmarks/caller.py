"""A client of the API as the upload bench needs it: one connection, and it does as it is told."""

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urljoin, urlsplit

TIMEOUT_SECONDS = 120
PATIENCE = 30
LATER = (429, 503)


class CallError(Exception):
    """A call was refused, or its connection broke."""


@dataclass(slots=True)
class Caller:
    """Calls the API at `url` with a token; asks again as browsers do, and counts that.

    `put_off` were told to come back later, `lost` had their connection broken.
    """

    url: str
    token: str
    put_off: int = 0
    lost: int = 0
    _connections: dict[str, HTTPConnection] = field(default_factory=dict)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one call."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = json.dumps(body).encode()
        told = self._ask("POST", f"{self.url}/api/v1/{path}", headers, content)
        answer: dict[str, Any] = json.loads(told)
        return answer

    def put(self, upload: Mapping[str, Any], content: bytes) -> None:
        """Send a document where the API said, and without the token."""
        target = upload["upload"]
        self._ask("PUT", urljoin(self.url, target["url"]), target["headers"], content)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
        broken: Exception | None = None
        for _ in range(PATIENCE):
            try:
                answer, content = self._send(method, url, headers, body)
            except (OSError, HTTPException) as error:
                # A server may close a connection that stood still; browsers open another.
                self._connections.pop(urlsplit(url).netloc).close()
                self.lost += 1
                broken = error
                continue
            if answer.status not in LATER:
                return _accepted(method, answer.status, content)
            self.put_off += 1
            # With jitter, or all who were put off come back at once.
            time.sleep(float(answer.headers.get("Retry-After", 1)) * random.uniform(1, 1.5))
        raise CallError(f"{method}: in vain, {PATIENCE} times") from broken

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[HTTPResponse, bytes]:
        parts = urlsplit(url)
        if parts.netloc not in self._connections:
            kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
            self._connections[parts.netloc] = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
        connection = self._connections[parts.netloc]
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(headers))
        answer = connection.getresponse()
        return answer, answer.read()


def _accepted(method: str, status: int, content: bytes) -> bytes:
    if not 200 <= status < 300:
        raise CallError(f"{method}: {status} {content[:200]!r}")
    return content
