"""Ask a ClamAV daemon about the bytes of a document, where one is configured.

The protocol is clamd(8)'s INSTREAM: blocks with their length before them, then a zero. The
daemon gets bytes and no path, so it may run anywhere.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from documents.errors import InfectedError, ScannerError, TooLargeError

BLOCK_BYTES = 256 * 1024
DEFAULT_PORT = 3310
MAX_ANSWER_BYTES = 4096
TOO_LARGE = "INSTREAM size limit exceeded"


def scan(path: Path, url: str, seconds: float, check: Callable[[], None]) -> None:
    """Return when the daemon at `url` finds nothing in these bytes.

    `url` is tcp://host:port or unix:///path; `seconds` is how long it may be silent, and
    `check` is called between blocks. Raises InfectedError, TooLargeError for a document
    beyond the daemon's own limit (StreamMaxLength), ScannerError when it cannot be asked.
    """
    with _connected(url, seconds) as daemon, path.open("rb") as stream:
        try:
            daemon.sendall(b"zINSTREAM\0")
            for block in iter(lambda: stream.read(BLOCK_BYTES), b""):
                check()
                daemon.sendall(struct.pack("!I", len(block)) + block)
            daemon.sendall(struct.pack("!I", 0))
        except (BrokenPipeError, ConnectionResetError):
            # It stops listening once it knows enough; what it knows is still to be read.
            check()
        answer = _answer(daemon)
    _judge(answer)


def version(url: str, seconds: float) -> str:
    """Return what the daemon says of itself and of its signatures."""
    with _connected(url, seconds) as daemon:
        daemon.sendall(b"zVERSION\0")
        return _answer(daemon)


@contextmanager
def _connected(url: str, seconds: float) -> Iterator[socket.socket]:
    try:
        with closing(_connect(url, seconds)) as daemon:
            daemon.settimeout(seconds)
            yield daemon
    except OSError as error:
        raise ScannerError("The virus scanner cannot be reached.") from error


def _connect(url: str, seconds: float) -> socket.socket:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        daemon = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        daemon.settimeout(seconds)
        daemon.connect(parts.path)
        return daemon
    return socket.create_connection((parts.hostname or "", parts.port or DEFAULT_PORT), seconds)


def _answer(daemon: socket.socket) -> str:
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < MAX_ANSWER_BYTES:
        piece = daemon.recv(MAX_ANSWER_BYTES)
        if not piece:
            break
        answer += piece
    return answer.rstrip(b"\0\n").decode(errors="replace")


def _judge(answer: str) -> None:
    if answer == "stream: OK":
        return
    if answer.endswith(" FOUND"):
        name = answer.removeprefix("stream: ").removesuffix(" FOUND")
        raise InfectedError(f"A virus was found in it: {name}.")
    if TOO_LARGE in answer:
        raise TooLargeError("The document is larger than the virus scanner takes.")
    raise ScannerError(f"The virus scanner says: {answer or 'nothing'}")
