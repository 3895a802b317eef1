"""When a worker process has worked enough, and how it ends for a new one.

Libraries leak and fragment memory. A process that is renewed while it holds nothing costs
a few seconds of one worker, and no attempt.
"""

import fcntl
import multiprocessing
import os
import random
import signal
from typing import IO

from django.conf import settings

from processing.presence import Presence, rss_bytes

# Workers that started together should not end together, on whichever machine they are.
JITTER = random.uniform(0.9, 1.1)

_turn: list[IO[bytes]] = []


def is_due(presence: Presence) -> bool:
    """Return whether this process should end now; True only for one of a home at a time."""
    return _has_worked_enough(presence.finished) and _take_turn()


def end_process() -> None:
    """Ask for a graceful stop where SIGTERM is listened to: at the Dramatiq master, if any."""
    master = multiprocessing.parent_process()
    # A master that is gone left us to somebody who must not be stopped.
    is_there = master is not None and master.pid == os.getppid()
    os.kill(os.getppid() if is_there else os.getpid(), signal.SIGTERM)


def _has_worked_enough(finished: int) -> bool:
    if 0 < settings.WORKER_MAX_JOBS * JITTER <= finished:
        return True
    # Not before the first run: a limit below what the model needs would renew for ever.
    return bool(finished) and 0 < settings.WORKER_MAX_RSS_BYTES < rss_bytes()


def _take_turn() -> bool:
    """Take the lock that the kernel gives back when this process has ended."""
    settings.SLUICE_HOME.mkdir(parents=True, exist_ok=True)
    stream = (settings.SLUICE_HOME / "renewal.lock").open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return False
    _turn.append(stream)
    return True
