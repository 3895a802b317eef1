"""One conductor leads; when it goes, however it goes, another does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from processing.conductor import Conductor, Duty
from processing.models import Worker
from tests.stack import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
# A promise: whoever stands by leads so soon after the leader was told to go.
# Much less than STALLED_SECONDS: a lock of a process that is gone is free at once.
LOST_LEADER_SECONDS = 10.0


@pytest.fixture
def conductors(transactional_db: Any) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two conductors as processes, on the test database."""
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
    environment = {**os.environ, "DATABASE_URL": url}
    command = [sys.executable, "manage.py", "conductor"]
    started = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(2)]
    yield started
    for process in started:
        process.kill()
        process.wait()


def leaders() -> list[int]:
    found = Worker.objects.filter(is_leader=True, stopped_at=None).values_list("pid", flat=True)
    return list(found)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_the_one_that_stands_by_leads_soon(
    conductors: list[subprocess.Popen[bytes]], signum: signal.Signals
) -> None:
    wait_until(lambda: Worker.objects.count() == 2 and len(leaders()) == 1, "one leads", seconds=90)
    (first,) = leaders()
    (other,) = {process.pid for process in conductors} - {first}

    os.kill(first, signum)

    wait_until(lambda: other in leaders(), "the other leads", seconds=LOST_LEADER_SECONDS)
    if signum == signal.SIGTERM:
        leader = next(process for process in conductors if process.pid == first)
        assert leader.wait(5) == 0


@pytest.mark.django_db(transaction=True)
def test_a_leader_whose_session_was_closed_leads_no_more() -> None:
    conductor = Conductor()
    conductor._try_to_lead()
    assert conductor.is_leader

    connection.close()

    assert not conductor._still_leads()


@pytest.mark.django_db(transaction=True)
def test_a_leader_whose_session_was_ended_stands_by_and_spares_the_workers() -> None:
    conductor = Conductor()
    conductor._try_to_lead()
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(OperationalError):
        conductor._say_alive()
    conductor._begin_anew()

    assert not conductor.is_leader
    assert conductor._reap_from > time.monotonic()


def test_a_duty_that_breaks_does_not_stop_the_others() -> None:
    runs = []

    def break_down() -> None:
        runs.append(1)
        raise KeyError("unforeseen")

    duty = Duty("sweep", 0.2, break_down)
    duty.run_if_due(1.0)
    duty.run_if_due(1.5)

    assert len(runs) == 1


def test_a_database_that_is_away_is_not_the_dutys_affair() -> None:
    def find_it_away() -> None:
        raise OperationalError("the connection is closed")

    with pytest.raises(OperationalError):
        Duty("sweep", 0.2, find_it_away).run_if_due(1.0)
