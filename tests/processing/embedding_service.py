"""A real HTTP server on this machine that speaks the OpenAI embeddings protocol."""

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[list[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived."""

    path: str
    authorization: str | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to give instead of the vectors; a `status` of 0 hangs up without a word."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class EmbeddingService:
    """What the server embeds with, what it was asked, and what it shall answer next."""

    base_url: str
    embed: Embed
    received: list[Received] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def will_answer(self, status: int, body: Any = None, **headers: str) -> None:
        """Queue one answer for the next request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies.append(Reply(status, json.dumps(body).encode(), named))


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a client that hung up, which some tests are about; report the rest."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def embedding_service(embed: Embed) -> Iterator[EmbeddingService]:
    """Serve on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.received.append(Received(self.path, self.headers["Authorization"], payload))
            reply = service.replies.pop(0) if service.replies else _vectors(service, payload)
            if not reply.status:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Keep the test's output to the test."""

    server = _Server(("127.0.0.1", 0), Handler)
    service = EmbeddingService(f"http://127.0.0.1:{server.server_port}/v1", embed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _vectors(service: EmbeddingService, payload: Mapping[str, Any]) -> Reply:
    """Answer as the protocol asks: refuse empty input, and give rows in no certain order."""
    if "" in payload["input"]:
        return Reply(400, b'{"error": {"message": "input cannot be an empty string"}}')
    # Longer than 1, so that a client that forgets to normalise is found out.
    vectors = service.embed(payload["input"]) * 3
    rows = [
        {"object": "embedding", "index": index, "embedding": vector.tolist()}
        for index, vector in enumerate(vectors)
    ]
    body = {"object": "list", "model": payload["model"], "data": rows[::-1]}
    return Reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
