"""As little of S3 as the storage port uses for single objects, kept in memory, unsigned."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import unquote

OBJECTS: dict[str, "Stored"] = {}


class Stored(NamedTuple):
    """An object, and when it came: S3 says so each time it is asked, to the second."""

    body: bytes
    modified: str


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        source = self.headers.get("x-amz-copy-source")
        if source is not None:
            body = OBJECTS[f"/{unquote(source)}"].body
        OBJECTS[self._path] = Stored(body, formatdate(usegmt=True))
        copied = f"<CopyObjectResult><ETag>{_tag(body)}</ETag></CopyObjectResult>".encode()
        self._reply(200, b"" if source is None else copied, _tag(body))

    def do_GET(self) -> None:
        found = OBJECTS.get(self._path)
        if found is None:
            self._reply(404, b"<Error><Code>NoSuchKey</Code></Error>", "")
        else:
            self._reply(200, found.body, _tag(found.body), found.modified)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        OBJECTS.pop(self._path, None)
        self._reply(204, b"", "")

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Stay quiet."""

    @property
    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _reply(self, status: int, body: bytes, tag: str, modified: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if modified:
            self.send_header("Last-Modified", modified)
        self.send_header("ETag", tag)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _tag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


@contextmanager
def memory_store() -> Iterator[str]:
    """Run the store on a free loopback port; yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
