"""What one call hears back: the answer from the child, the exit from the server.

Two pipes, because they are believed differently. The child may be hijacked:
its answer is data with a length cap. How it ended is what the server reports;
the end of that pipe without a report means that the server itself died.
"""

import json
import os
import select
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from typing import Self

from documents.errors import ParseTimeoutError, TooComplexError
from processing.sandbox import directories
from processing.sandbox.child import END_OF_ANSWER
from processing.sandbox.limits import Limits, size

READ_BYTES = 1024 * 1024
LOG_BYTES = 64 * 1024
LOG_TAIL_BYTES = 4000
# faulthandler ends with every extension module there is, thousands of characters of them: what
# a library said before it aborted stands above.
LIST_OF_MODULES = b"\nExtension modules:"


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a child: its raw wait status, or why the server could not fork it.

    `peak_bytes` is the most memory it had beyond what it was forked with.
    """

    status: int
    cpu_seconds: float = 0.0
    refused: str = ""
    peak_bytes: int = 0


class Exchange:
    """The pipes, the log and the working directory of one call."""

    def __init__(self, directory: str) -> None:
        with ExitStack() as stack:
            self._result, self._result_end = _pipe(stack)
            self._status, self._status_end = _pipe(stack)
            # Without a name: the child cannot put a link or a pipe where it will be read.
            self._log = stack.enter_context(tempfile.TemporaryFile(dir=directory))
            self.directory = tempfile.mkdtemp(dir=directory, prefix="call-")
            stack.callback(directories.remove, self.directory)
            self._resources = stack.pop_all()
        self._answer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    @property
    def answer(self) -> bytearray:
        """What the child has written so far."""
        return self._answer

    @property
    def fds(self) -> list[int]:
        """The descriptors the server needs, in the order it takes them."""
        return [self._result_end.fileno(), self._status_end.fileno(), self._log.fileno()]

    def hand_over(self) -> None:
        """Close our copies of what was sent, so that the pipes end with the other side."""
        self._result_end.close()
        self._status_end.close()

    def wait(self, limits: Limits) -> Ended | None:
        """Collect the answer until it is whole or the child has ended; None: the server died.

        A child with hundreds of megabytes takes milliseconds to end; nobody
        needs to wait for that once its answer is there. Raises
        ParseTimeoutError at the deadline and TooComplexError when the answer
        outgrows its limit. The child may still be running after any of these.
        """
        deadline = time.monotonic() + limits.wall_seconds
        poll = select.poll()
        poll.register(self._result, select.POLLIN)
        poll.register(self._status, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = [fd for fd, _ in poll.poll(left * 1000)]
            if self._result.fileno() in ready and self._collect(limits.result_bytes) == b"":
                if self._answer.endswith(END_OF_ANSWER):
                    return Ended(os.EX_OK)
                poll.unregister(self._result)
            if self._status.fileno() in ready:
                return self._finish(limits.result_bytes)
        raise ParseTimeoutError(
            f"Reading the document took longer than {limits.wall_seconds:.3g} seconds.",
            log=self.log_tail(),
        )

    def wait_for_exit(self, seconds: float) -> bool:
        """Wait for a child that was killed; return whether it, or its server, has ended."""
        poll = select.poll()
        poll.register(self._status, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def log_tail(self) -> str:
        """Return the end of what the child and its libraries wrote to standard error."""
        fd = self._log.fileno()
        start = max(0, os.fstat(fd).st_size - LOG_BYTES)
        log, _, _ = os.pread(fd, LOG_BYTES, start).partition(LIST_OF_MODULES)
        return log[-LOG_TAIL_BYTES:].decode("utf-8", "replace")

    def _finish(self, most: int) -> Ended | None:
        report = self._status.read(READ_BYTES)
        if not report:
            return None
        # A process that escaped its group may still hold the pipe open: take what is there.
        while self._collect(most):
            continue
        fields = json.loads(report)
        return Ended(
            fields.get("status", 0),
            cpu_seconds=fields.get("cpu", 0.0),
            refused=fields.get("refused", ""),
            peak_bytes=fields.get("peak", 0),
        )

    def _collect(self, most: int) -> bytes | None:
        """Read once; empty at the end of the pipe, None when there is nothing now."""
        chunk = self._result.read(READ_BYTES)
        self._answer += chunk or b""
        if len(self._answer) > most:
            raise TooComplexError(f"The text of the document is larger than {size(most)}.")
        return chunk


def _pipe(stack: ExitStack) -> tuple[FileIO, FileIO]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    return (stack.enter_context(FileIO(reader, "rb")), stack.enter_context(FileIO(writer, "wb")))
