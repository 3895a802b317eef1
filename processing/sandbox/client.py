"""Run a task on an untrusted document in a child that cannot hurt the worker."""

import dataclasses
import itertools
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from documents.errors import CrashedError, StorageFullError
from processing.sandbox import outcome
from processing.sandbox.child import NO_ROOM
from processing.sandbox.exchange import Ended, Exchange
from processing.sandbox.limits import Limits
from processing.sandbox.process import ServerProcess
from processing.sandbox.wear import Wear
from processing.sandbox.wire import JSON

log = structlog.get_logger(__name__)

# A killed child is gone in milliseconds. A server that has not reported one by then is stuck.
EXIT_SECONDS = 5


class Call:
    """One task under way; any thread may end it."""

    def __init__(self, server: ServerProcess, number: int) -> None:
        self._server = server
        self.number = number
        self._lock = threading.Lock()
        self._is_over = False
        self.reason: BaseException | None = None

    def kill(self, reason: BaseException | None = None) -> None:
        """End the child and all it started; `run` then raises the reason of the first kill.

        Does nothing when the call is over.
        """
        with self._lock:
            if self._is_over or self.reason is not None:
                return
            self.reason = reason or CrashedError("Reading the document was stopped.")
            self._end()

    def close(self) -> BaseException | None:
        """Refuse later kills; return the reason of the one that came before."""
        with self._lock:
            self._is_over = True
            # A hijacked child may give an answer and go on.
            self._end()
            return self.reason

    def _end(self) -> None:
        # A dead server has taken its children along; a deaf one is stopped by run().
        with suppress(OSError):
            self._server.send({"kill": self.number})


@dataclass(frozen=True, slots=True)
class Answered:
    """What a task returned, and the directory it worked in."""

    value: JSON
    directory: Path


class Sandbox:
    """A fork server for this process, started by the first call and again after its death.

    Safe to use from any number of threads: each call has a child of its own.
    Tasks are named "package.module:function", take JSON as keywords and return
    JSON. They are given the path of the document and no open descriptor,
    because pdfium, LibreOffice and the type detection want a name with its
    suffix, which /proc/self/fd does not have.
    """

    def __init__(
        self,
        *,
        tasks: Collection[str],
        preload: str | None = None,
        wear: Wear | None = None,
    ) -> None:
        """Allow these tasks only; `preload` names the function that warms the server up.

        A server that is worn is replaced: it ends what it runs while a new one takes over.
        """
        self._tasks = frozenset(tasks)
        self._preload = preload
        self._wear = wear or Wear()
        self._retired: set[ServerProcess] = set()
        self._is_renewing = False
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._server: ServerProcess | None = None
        self._owner = os.getpid()
        self._is_closed = False

    def start(self) -> None:
        """Warm the server up now, so that the first call does not pay for it."""
        with self._serving():
            return

    def run(
        self,
        task: str,
        *,
        arguments: Mapping[str, JSON],
        limits: Limits | None = None,
        on_start: Callable[[Call], None] | None = None,
    ) -> JSON:
        """Run a task in a child of its own and return what it returns.

        Raises the SluiceError the task raised; CorruptError for any other
        exception in it; TooComplexError, ParseTimeoutError when it meets a
        limit; CrashedError when it or the server dies; and the reason given
        to `Call.kill`. `on_start` gets the call as soon as it can be killed.
        """
        with self.run_for_files(
            task, arguments=arguments, limits=limits, on_start=on_start
        ) as answered:
            return answered.value

    @contextmanager
    def run_for_files(
        self,
        task: str,
        *,
        arguments: Mapping[str, JSON],
        limits: Limits | None = None,
        on_start: Callable[[Call], None] | None = None,
    ) -> Iterator[Answered]:
        """Run a task like `run`, and give what it left in its directory until the context ends.

        What is there was made by whoever wrote the document: open it with `open_left`.
        """
        if task not in self._tasks:
            raise ValueError(f"{task} is not a task of this sandbox")
        limits = limits or Limits()
        with self._serving() as server, self._open_exchange(server) as exchange:
            call = Call(server, next(self._numbers))
            self._send(server, call, exchange, _request(task, arguments, exchange, limits))
            ended = self._wait(server, call, exchange, limits, on_start)
            if reason := call.close():
                raise reason
            if self._is_closed:
                raise CrashedError("The worker stopped while it read the document.")
            if ended is None:
                raise self._lost(server)
            value = outcome.value_of(
                exchange.answer, ended=ended, limits=limits, log=exchange.log_tail()
            )
            yield Answered(value, Path(exchange.directory))

    def close(self) -> None:
        """End every child, then the server; later calls raise CrashedError."""
        with self._lock:
            self._is_closed = True
            servers = [*self._retired, *([self._server] if self._server is not None else [])]
            self._retired, self._server = set(), None
        if self._owner == os.getpid():
            for server in servers:
                server.stop()

    @contextmanager
    def _serving(self) -> Iterator[ServerProcess]:
        """Give a warm server, which is not stopped for its wear before the body ends."""
        server = self._take_server()
        try:
            # Outside the lock, so that closing need not wait for a warm-up: it ends it.
            server.wait_until_warm()
            yield server
        finally:
            server.calls.end()
            self._renew_if_worn(server)
            self._stop_unused()

    def _renew_if_worn(self, server: ServerProcess) -> None:
        with self._lock:
            is_in_use = server is self._server and not self._is_closed
            if not is_in_use or self._is_renewing or not self._wear.is_out(server):
                return
            self._is_renewing = True
        threading.Thread(target=self._renew, args=(server,), name="renew", daemon=True).start()

    def _renew(self, worn: ServerProcess) -> None:
        """Warm a new server up beside the old one, so that no call waits for it."""
        try:
            new = ServerProcess(self._preload)
            new.wait_until_warm()
        except CrashedError as error:
            log.warning("sandbox_not_renewed", error=error.detail)
            new = None
        with self._lock:
            self._is_renewing = False
            if new is not None and worn is self._server and not self._is_closed:
                self._server, new = new, None
                self._retired.add(worn)
                log.info("sandbox_renewed", pid=self._server.pid, calls=worn.calls.begun)
        if new is not None:
            new.stop()
        self._stop_unused()

    def _stop_unused(self) -> None:
        with self._lock:
            unused = {server for server in self._retired if not server.calls.running}
            self._retired -= unused
        for server in unused:
            server.stop()

    def _take_server(self) -> ServerProcess:
        with self._lock:
            if self._is_closed:
                raise CrashedError("The sandbox is closed.")
            if self._owner != os.getpid():
                # Forked after the first call: that server belongs to the other process.
                self._owner, self._server = os.getpid(), None
            if self._server is not None and not self._server.is_alive:
                self._server.stop()
                self._server = None
            if self._server is None:
                self._server = ServerProcess(self._preload)
            self._server.calls.begin()
            return self._server

    def _open_exchange(self, server: ServerProcess) -> Exchange:
        try:
            return Exchange(server.directory)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StorageFullError("There is no room to read documents in.") from error
            # Another thread found the server dead, or something tidied the temporary directory.
            raise self._lost(server) from error

    def _send(
        self, server: ServerProcess, call: Call, exchange: Exchange, request: dict[str, JSON]
    ) -> None:
        try:
            server.send({"run": call.number, **request}, exchange.fds)
        except OSError as error:
            raise self._lost(server) from error
        exchange.hand_over()

    def _wait(
        self,
        server: ServerProcess,
        call: Call,
        exchange: Exchange,
        limits: Limits,
        on_start: Callable[[Call], None] | None,
    ) -> Ended | None:
        try:
            if on_start is not None:
                on_start(call)
            return exchange.wait(limits)
        except BaseException as error:
            # Whatever interrupts this thread, the child must not outlive the call.
            call.kill(error)
            if not exchange.wait_for_exit(EXIT_SECONDS):
                server.stop()
            raise

    def _lost(self, server: ServerProcess) -> CrashedError:
        # A server that closed its socket may not be dead yet; the next call must not get it.
        server.stop()
        return CrashedError("The sandbox was lost while it read the document.")


def _request(
    task: str, arguments: Mapping[str, JSON], exchange: Exchange, limits: Limits
) -> dict[str, JSON]:
    return {
        "task": task,
        "arguments": dict(arguments),
        "directory": exchange.directory,
        "limits": dataclasses.asdict(limits),
    }
