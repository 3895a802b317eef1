"""A real HTTP server around an ASGI application, and a client that hides nothing."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

TIMEOUT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP response, read to its end; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class CountedApp:
    """Pass requests on and let a test wait until so many of them have ended."""

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app
        self._changed = threading.Condition()
        self.ended = 0

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Run one request, whatever becomes of it."""
        try:
            await self._app(scope, receive, send)
        finally:
            with self._changed:
                self.ended += 1
                self._changed.notify_all()

    def wait_until_ended(self, count: int) -> None:
        """Block until `count` requests have ended since the start."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended >= count, TIMEOUT_SECONDS)


@contextmanager
def serve(app: Any) -> Iterator[tuple[str, int]]:
    """Run the application under uvicorn on a free loopback port; yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        # The socket listens already: a request made before uvicorn is up only waits.
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(TIMEOUT_SECONDS)
        listener.close()


def send(
    address: tuple[str, int],
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Make one request on its own connection."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or address[0], parts.port or address[1], timeout=20)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, fields, response.read())
    finally:
        connection.close()


def hang_up_half_way(
    address: tuple[str, int], url: str, body: bytes, headers: Mapping[str, str]
) -> None:
    """Announce the whole body, send half of it and drop the connection."""
    fields = {"Host": "localhost", "Content-Length": str(len(body)), **headers}
    head = f"PUT {url} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
    with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
        connection.sendall(head.encode("ascii") + b"\r\n" + body[: len(body) // 2])
