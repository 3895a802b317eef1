"""The warmed fork server: imports the parsers once, then forks a child for each call.

Started by `processing.sandbox.process` as `python -m processing.sandbox.server
FD PRELOAD`, with an empty environment and one end of a socket pair. It has one
thread, so that a fork copies no lock that another thread holds, and it alone
kills: it knows which children it has not reaped yet, so a process number it
signals can never have gone to somebody else. The end of the control socket
means that the worker is gone, by whatever death: everything here ends with it.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from processing import priority
from processing.sandbox import child, directories, linux, wire
from processing.sandbox.wire import JSON

# The result pipe, the status pipe and the log of a call, in this order.
FDS_PER_CALL = 3
LAST_REAP_SECONDS = 2
WAKE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: its raw wait status, and the processor time and memory it used."""

    pid: int
    status: int
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Running:
    """A child that has not been reaped yet."""

    number: int
    status_fd: int


class Server:
    """Forks, kills and reaps; the worker reads each result from the child itself."""

    def __init__(self, control: socket.socket, *, own_users: bool) -> None:
        self._control = control
        self._inbox = wire.Inbox(control)
        self._own_users = own_users
        self._pid = os.getpid()
        self._running: dict[int, Running] = {}
        self._wake, self._woken_by = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken_by, False)

    def serve(self) -> None:
        """Work until the worker is gone or SIGTERM comes, then leave no process behind."""
        signal.set_wakeup_fd(self._woken_by, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        try:
            while True:
                for fd, _ in poll.poll():
                    self._read(fd)
                self._reap()
        except (EOFError, ConnectionError):
            return
        finally:
            self._end_everything()

    def _read(self, fd: int) -> None:
        if fd == self._wake:
            os.read(self._wake, 4096)
            return
        for message in self._inbox.receive():
            match message:
                case {"kill": int(number)}:
                    self._kill(number)
                case {"run": int(number), **request}:
                    self._run(number, request)

    def _run(self, number: int, request: dict[str, JSON]) -> None:
        result_fd, status_fd, stderr_fd = self._inbox.take_fds(FDS_PER_CALL)
        try:
            pid = os.fork()
            if pid == 0:
                server = child.Parent(self._pid, self._own_users)
                child.run(request, result_fd=result_fd, stderr_fd=stderr_fd, server=server)
            self._running[pid] = Running(number, status_fd)
        except OSError as error:
            _report(status_fd, {"refused": str(error)})
        finally:
            os.close(result_fd)
            os.close(stderr_fd)

    def _kill(self, number: int) -> None:
        # A number that is not running any more has ended by itself: nothing to do.
        for pid, running in self._running.items():
            if running.number == number:
                _kill_group(pid)

    def _reap(self) -> None:
        for ended in self._exits():
            running = self._running.pop(ended.pid, None)
            if running is not None:
                report: dict[str, JSON] = {
                    "status": ended.status,
                    "cpu": ended.cpu_seconds,
                    "peak": ended.peak_bytes,
                }
                _report(running.status_fd, report)
            self._kill_strays()

    def _exits(self) -> Iterator[Exit]:
        """Reap whoever has ended; kill what a call leaves behind before its number is free."""
        while True:
            try:
                pid, status, usage = os.wait4(self._next_to_reap(), os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            # A child begins with all that is loaded here, which is not its own.
            peak_bytes = max(0, usage.ru_maxrss * linux.MAXRSS_BYTES - linux.resident_bytes())
            yield Exit(pid, status, usage.ru_utime + usage.ru_stime, peak_bytes)

    def _next_to_reap(self) -> int:
        if sys.platform == "darwin":
            # No way to look before reaping; the group of an ended child dies at the deadline.
            return -1
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if seen is None:
            raise ChildProcessError
        if seen.si_pid in self._running:
            _kill_group(seen.si_pid)
        return seen.si_pid

    def _kill_strays(self) -> None:
        """Kill orphans that left the group of their call: they came to us when it ended."""
        for pid in linux.children():
            # A helper that lost its parent while its call goes on is still in that group.
            if pid not in self._running and os.getpgid(pid) not in self._running:
                os.kill(pid, signal.SIGKILL)

    def _end_everything(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for pid in self._running:
            _kill_group(pid)
        deadline = time.monotonic() + LAST_REAP_SECONDS
        while (self._running or linux.children()) and time.monotonic() < deadline:
            if select.select([self._wake], [], [], WAKE_SECONDS)[0]:
                self._read(self._wake)
            self._reap()


def _kill_group(pid: int) -> None:
    # Both: a child that has only just been forked leads no group yet.
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _report(status_fd: int, report: dict[str, JSON]) -> None:
    try:
        os.write(status_fd, json.dumps(report).encode())
    except BrokenPipeError:
        # The thread that waited was interrupted and has gone: nobody to tell.
        return
    finally:
        os.close(status_fd)


def _warm_up(preload: str) -> None:
    if preload:
        module, _, function = preload.partition(":")
        getattr(importlib.import_module(module), function)()
    # Children then write to no page merely because a collection touched it.
    gc.collect()
    gc.freeze()


def main() -> None:
    """Serve the worker at the other end of the socket given by number."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    # The thread that started us may have blocked what we live by.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        # What a worker starts works as the worker does; what a page waits for is not put back.
        priority.extend_to_session()
        namespaces = linux.drop_privileges()
        linux.adopt_orphans()
        _warm_up(sys.argv[2])
        wire.send(control, {"ready": namespaces})
        Server(control, own_users="user" in namespaces).serve()
    except ConnectionError:
        # The worker ended while the parsers were being imported.
        return
    except Exception:
        wire.send(control, {"failed": traceback.format_exc()})
        raise
    finally:
        directories.remove(os.environ["HOME"])


if __name__ == "__main__":
    main()
