"""Named places where a failure test strikes; each costs one comparison when no test runs.

A test sets SLUICE_FAULTS to a folder before the processes start and arms a place by
writing a file of its name there: the next process that passes takes the file away,
so that each strikes once, and does what it says.

    kill9              the process is gone, with no chance to tidy up
    raise              FaultError, which nothing foresees
    sleep <seconds>    the process stands still, as in a long pause of the machine
    commit_then_raise  the transaction commits, and nobody learns of it

A file named <place>@<subject> strikes whoever passes with that subject, each time: that
is what a document is like that kills its parser. It may say three things more.

    segfault           as a bug in a C library does
    eat                take memory until there is none
    loop               never come back

This module knows no Django, because parsers pass these places too.
"""

import ctypes
import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

FOLDER_VARIABLE = "SLUICE_FAULTS"
ACTIONS = ("kill9", "raise", "sleep", "commit_then_raise")
EATEN_AT_ONCE = 16 * 1024**2

_folder = os.environ.get(FOLDER_VARIABLE, "")
_after_commit: list[Callable[[Callable[[], None]], None]] = []


class FaultError(Exception):
    """What an armed place raises: no error of ours, so that nothing is prepared for it."""


def point(name: str, subject: str = "") -> None:
    """Strike here if a test armed `name`, or `name` for this subject."""
    if _folder:
        _strike(name, subject)


def are_armed() -> bool:
    """Return whether this process looks for armed places at all."""
    return bool(_folder)


def arrange_commits(on_commit: Callable[[Callable[[], None]], None]) -> None:
    """Say how to run something once the current transaction has committed."""
    _after_commit[:] = [on_commit]


def _strike(name: str, subject: str) -> None:
    poison = Path(_folder, f"{name}@{subject}")
    if subject and poison.exists():
        _act(name, poison.read_text())
        return
    taken = Path(_folder, f"{name}.struck.{os.getpid()}.{time.monotonic_ns()}")
    try:
        # Of any number of processes, one takes it.
        Path(_folder, name).rename(taken)
    except FileNotFoundError:
        return
    _act(name, taken.read_text())


def _act(name: str, what: str) -> None:
    action, _, argument = what.partition(" ")
    if action == "kill9":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "sleep":
        time.sleep(float(argument))
    elif action == "segfault":
        ctypes.string_at(0)
    elif action == "eat":
        _eaten = [bytes(EATEN_AT_ONCE) + b"." for _ in itertools.count()]
    elif action == "loop":
        for _ in itertools.count():
            pass
    elif action == "commit_then_raise" and _after_commit:
        _after_commit[0](lambda: _raise(name))
    else:
        _raise(name)


def _raise(name: str) -> None:
    raise FaultError(f"struck at {name}")
