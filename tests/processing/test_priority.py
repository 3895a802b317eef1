"""Workers and what they start let pages and uploads go first."""

import subprocess
import sys

import dramatiq
import pytest

from processing import priority
from processing.worker import WorkerMiddleware

ASK = """
import os
path = "/proc/self/autogroup"
print(open(path).read() if os.access(path, os.W_OK) else "")
"""
GIVE_WAY = """
import os
from processing import priority
priority.give_way()
path = "/proc/self/autogroup"
told = open(path).read().split() if os.path.exists(path) else []
print(os.getpriority(os.PRIO_PROCESS, 0), *told[-1:])
"""


def shares() -> bool:
    """Tell whether this kernel shares processors among sessions, and lets that be changed.

    Asked in a new session: what runs in the first of a container may have no share to tell of.
    """
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        start_new_session=True,
        capture_output=True,
        check=True,
        text=True,
    )
    return bool(done.stdout.strip())


def told(*, start_new_session: bool) -> list[str]:
    command = [sys.executable, "-c", GIVE_WAY]
    done = subprocess.run(
        command, start_new_session=start_new_session, capture_output=True, check=True, text=True
    )
    return done.stdout.split()


def test_a_process_goes_behind_every_other() -> None:
    assert told(start_new_session=False)[0] == str(priority.LAST)


def test_so_does_a_session_of_its_own() -> None:
    expected = [str(priority.LAST)] if shares() else []

    assert told(start_new_session=True)[1:] == expected


def test_a_session_shared_with_others_stays() -> None:
    # A shell in between, so that neither the process nor its parent leads the session.
    script = f"{sys.executable} -c '{GIVE_WAY}'; true"
    outer = f"import subprocess; subprocess.run(['sh', '-c', {script!r}], check=True)"
    done = subprocess.run(
        [sys.executable, "-c", outer],
        start_new_session=True,
        capture_output=True,
        check=True,
        text=True,
    )

    assert done.stdout.split() == [str(priority.LAST), *(["0"] if shares() else [])]


def test_a_worker_gives_way_before_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(priority, "give_way", lambda: given.append(True))

    WorkerMiddleware().after_process_boot(dramatiq.get_broker())

    assert given
