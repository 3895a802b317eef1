"""When a fork server has served enough: what it inherits to every child grows with time."""

import threading
from dataclasses import dataclass
from typing import Protocol

import psutil


class Calls:
    """How many calls a server was given, and how many of them are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun = 0
        self.running = 0

    def begin(self) -> None:
        with self._lock:
            self.begun += 1
            self.running += 1

    def end(self) -> None:
        with self._lock:
            self.running -= 1


class Used(Protocol):
    """A server, as far as its wear is concerned."""

    calls: Calls

    @property
    def pid(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Wear:
    """The limits of a server; 0 is none."""

    max_calls: int = 0
    max_rss_bytes: int = 0

    def is_out(self, server: Used) -> bool:
        """Return whether a new server should take over."""
        if 0 < self.max_calls <= server.calls.begun:
            return True
        return 0 < self.max_rss_bytes < _rss_bytes(server.pid)


def _rss_bytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        # It has died, which the next call finds out.
        return 0
