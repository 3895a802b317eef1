"""Processes we started: end them in time, tie them to our life, know them again."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

PR_SET_PDEATHSIG = 1
# Loaded once, before any fork: a child between fork and exec must not import.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def signal_when_parent_dies(signum: signal.Signals) -> None:
    """Ask the kernel to send `signum` to this process when its parent is gone (Linux only)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def find(pid: int, created: float | None = None) -> psutil.Process | None:
    """Return the living process `pid`, or None; `created` tells a reused pid apart."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if created is not None and abs(process.create_time() - created) > 0.05:
            return None
    except psutil.Error:
        return None
    return process


def end(process: psutil.Process, ladder: Iterable[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn and wait up to its seconds, until the process is gone."""
    for signum, seconds in ladder:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signum)
        if _ends_within(process, seconds):
            return


def _ends_within(process: psutil.Process, seconds: float) -> bool:
    """Wait for the end; a zombie that its parent has not collected has ended too."""
    deadline = time.monotonic() + seconds
    while find(process.pid, process.create_time()) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def signal_group(pgid: int, signum: signal.Signals) -> None:
    """Send `signum` to every process of a group; a group already gone is fine."""
    with suppress(ProcessLookupError):
        os.killpg(pgid, signum)
