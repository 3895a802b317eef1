"""A daemon that speaks clamd's INSTREAM on a loopback port, and knows one signature."""

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNATURE = b"EICAR-LIKE-TEST-SIGNATURE"


class Daemon(socketserver.ThreadingTCPServer):
    """What it was sent, and how much it takes before it hangs up."""

    daemon_threads = True
    allow_reuse_address = True
    max_bytes = 2**40

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scanned: list[bytes] = []

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.server_address[1]}"


class _Handler(socketserver.StreamRequestHandler):
    server: Daemon

    def handle(self) -> None:
        command = self._until_zero()
        if command == b"zVERSION":
            self.wfile.write(b"ClamAV 1.4.2/27000/Sat Nov 21 09:00:00 2026\0")
        elif command == b"zINSTREAM":
            self.wfile.write(self._scan())

    def _scan(self) -> bytes:
        body = b""
        while length := struct.unpack("!I", self.rfile.read(4))[0]:
            body += self.rfile.read(length)
            if len(body) > self.server.max_bytes:
                return b"INSTREAM size limit exceeded. ERROR\0"
        self.server.scanned.append(body)
        return b"stream: Test.Signature FOUND\0" if SIGNATURE in body else b"stream: OK\0"

    def _until_zero(self) -> bytes:
        return b"".join(iter(lambda: self.rfile.read(1), b"\0"))


@contextmanager
def clamd() -> Iterator[Daemon]:
    """Run the daemon while the context lasts."""
    with Daemon() as daemon:
        threading.Thread(target=daemon.serve_forever, args=(0.05,), daemon=True).start()
        yield daemon
        daemon.shutdown()
