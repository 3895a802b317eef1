"""The worker's end of a sandbox server: start it, send to it, stop it."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from documents import faults
from documents.errors import CrashedError, StorageError
from processing.sandbox import directories, wire
from processing.sandbox.wear import Calls
from processing.sandbox.wire import JSON

log = structlog.get_logger(__name__)

PROJECT = Path(__file__).resolve().parents[2]
SERVER = "processing.sandbox.server"
START_SECONDS = 90
SEND_SECONDS = 10
STOP_SECONDS = 5
# Where programs and their data are found. Nothing else of the worker's environment is passed
# on: it holds the keys of the database, the storage and the embedding provider.
PASSED_ON = (
    "PATH",
    "LD_LIBRARY_PATH",
    "TESSDATA_PREFIX",
    "ENTITY_MODEL",
    "TZ",
    faults.FOLDER_VARIABLE,
)
QUIET = {
    "LANG": "C.UTF-8",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "SCARF_NO_ANALYTICS": "true",
    "HF_HUB_OFFLINE": "1",
    # A thread pool does not survive a fork, and each parse has one core anyway.
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VIPS_CONCURRENCY": "1",
    # Each further arena reserves 64 MiB of the address space that a child may use.
    "MALLOC_ARENA_MAX": "2",
    "PYTHONPATH": str(PROJECT),
    "PYTHONNOUSERSITE": "1",
    # macOS ends forks of a process that used Objective-C, which some libraries do.
    "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
}


def _make_directory() -> str:
    try:
        return tempfile.mkdtemp(prefix="sluice-sandbox-")
    except OSError as error:
        # The machine's fault, which must not count as a crash of the document.
        raise StorageError("There is no room to read documents in.", cause=str(error)) from error


class ServerProcess:
    """A running fork server and the directory its children work in."""

    def __init__(self, preload: str | None) -> None:
        """Start the server; it warms up by itself. Raises CrashedError if it cannot start.

        Raises StorageError when it finds no room to work in.
        """
        self.calls = Calls()
        self._started = time.monotonic()
        self._is_warm = False
        self._warming = threading.Lock()
        self.directory = _make_directory()
        self._sending = threading.Lock()
        self._control, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = self._spawn(theirs, preload)
        except OSError as error:
            self._control.close()
            directories.remove(self.directory)
            raise CrashedError("The sandbox could not be started.", cause=str(error)) from error

    def wait_until_warm(self) -> None:
        """Return once the server can take a call. Raises CrashedError if it never will."""
        with self._warming:
            if self._is_warm:
                return
            namespaces = self._receive_ready()
            self._control.settimeout(SEND_SECONDS)
            self._is_warm = True
        seconds = round(time.monotonic() - self._started, 3)
        log.info("sandbox_started", pid=self.pid, seconds=seconds, namespaces=namespaces)

    @property
    def pid(self) -> int:
        """The process number of the server."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the server can take a call."""
        return self._process.poll() is None

    def send(self, message: Mapping[str, JSON], fds: Sequence[int] = ()) -> None:
        """Tell the server something. Raises OSError when it is dead or does not listen."""
        with self._sending:
            wire.send(self._control, message, fds)

    def stop(self) -> None:
        """End every child and then the server; safe to call twice and from any thread."""
        try:
            # The server takes the end of the stream as the order to end everything.
            self._control.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("sandbox_already_gone", pid=self.pid)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._control.close()
        directories.remove(self.directory)

    def _spawn(self, control: socket.socket, preload: str | None) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-m", SERVER, f"{control.fileno()}", preload or ""],
            env=environment | QUIET | {"HOME": self.directory, "TMPDIR": self.directory},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[control.fileno()],
            start_new_session=True,
        )

    def _receive_ready(self) -> JSON:
        self._control.settimeout(START_SECONDS)
        inbox = wire.Inbox(self._control)
        try:
            messages: list[dict[str, JSON]] = []
            while not messages:
                messages = inbox.receive()
        except (EOFError, OSError) as error:
            self.stop()
            raise CrashedError("The sandbox did not start.", cause=repr(error)) from error
        if "ready" not in messages[0]:
            self.stop()
            raise CrashedError("The sandbox did not start.", cause=messages[0].get("failed"))
        return messages[0]["ready"]
