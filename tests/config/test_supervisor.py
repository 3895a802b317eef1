"""`manage.py run` as a whole: it starts, it keeps up, it ends, it leaves nothing."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config import supervisor
from config.start_error import StartError
from config.supervisor import Plan, Supervisor
from tests.stack import STOP_SECONDS, Stack, wait_until

pytestmark = pytest.mark.stack


@pytest.fixture
def second(home: Path) -> Iterator[Stack]:
    """A Sluice that is not started yet."""
    stack = Stack(home)
    yield stack
    stack.stop()


def pids_of(stack: Stack) -> set[int]:
    """Return the supervisor and everything below it, parsers and servers too."""
    assert stack.process is not None
    supervisor = psutil.Process(stack.process.pid)
    return {supervisor.pid, *(child.pid for child in supervisor.children(recursive=True))}


def alive(pids: set[int]) -> set[int]:
    return {
        pid
        for pid in pids
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    }


def test_ready_means_web_worker_and_conductor_are_up(stack: Stack) -> None:
    stack.wait_shown()

    names = set(stack.pids())

    assert {"web", "conductor", "worker-1"} <= names
    assert stack.is_ready()
    assert stack.url in stack.output.read_text()


def test_second_run_in_the_same_home_names_the_first(stack: Stack) -> None:
    assert stack.process is not None
    second = stack.manage("run", check=False)

    assert second.returncode == 1
    assert f"process {stack.process.pid}, {stack.url}" in second.stderr
    assert stack.is_ready()


def test_used_port_is_a_sentence(second: Stack) -> None:
    with socket.create_server(("127.0.0.1", second.port)):
        done = second.manage("run", check=False)

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{second.port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (second.home / "postgres").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_stop_signal_leaves_no_process(own_stack: Stack, signum: signal.Signals) -> None:
    assert own_stack.process is not None
    started = pids_of(own_stack)

    os.killpg(own_stack.process.pid, signum)

    assert own_stack.wait_end(STOP_SECONDS) == 0
    assert alive(started) == set()
    assert own_stack.survivors() == []


def test_stop_signal_while_it_starts_leaves_no_process(second: Stack) -> None:
    second.start()
    wait_until((second.home / "children.json").exists, "the first child runs")
    started = pids_of(second)

    second.interrupt()

    assert second.wait_end(STOP_SECONDS) == 0
    assert alive(started) == set()
    assert second.survivors() == []


def test_what_does_not_start_because_all_is_told_to_end_is_no_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that was just forked is still in the group that a terminal signals."""

    def ended_with_all(host: str, port: int) -> None:
        signal.raise_signal(signal.SIGTERM)
        raise StartError("The demo account was not made.")

    monkeypatch.setattr(supervisor, "refuse_used_port", ended_with_all)
    plan = Plan(home, "127.0.0.1", 0, 1, 1, "", "", minimum_pgvector=(0,))

    assert Supervisor(plan).run() == 0


def test_interrupted_make_ends_what_it_started(home: Path, second: Stack) -> None:
    """A terminal sends Ctrl-C to make and to Sluice alike; a SIGTERM reaches make alone."""
    root = Path(__file__).resolve().parent.parent.parent
    make = subprocess.Popen(
        ["make", "--no-print-directory", "run"],
        cwd=root,
        env=second.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(second.is_ready, "make run is ready", seconds=90)

    make.terminate()
    make.wait(STOP_SECONDS)

    assert second.survivors() == []


def test_killed_web_comes_back(stack: Stack) -> None:
    first = stack.pids()["web"]

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: stack.pids()["web"] != first, "a new web process runs", seconds=2)
    wait_until(stack.is_ready, "it is ready again", seconds=30)


def test_killed_worker_comes_back_and_leaves_no_half(stack: Stack) -> None:
    master = stack.pids()["worker-1"]
    workers = {child.pid for child in psutil.Process(master).children(recursive=True)}
    assert workers

    os.kill(master, signal.SIGKILL)

    wait_until(lambda: stack.pids()["worker-1"] != master, "a new worker runs", seconds=2)
    wait_until(lambda: alive(workers) == set(), "the old one is gone", seconds=5)


def test_killed_postgres_is_started_again(stack: Stack) -> None:
    pid_file = stack.home / "postgres" / "postmaster.pid"
    first = int(pid_file.read_text().split()[0])

    os.kill(first, signal.SIGKILL)

    wait_until(
        lambda: pid_file.exists() and int(pid_file.read_text().split()[0]) != first,
        "PostgreSQL runs again",
    )
    wait_until(stack.is_ready, "everything has reconnected", seconds=60)


def test_killed_supervisor_leaves_no_child_and_the_next_run_takes_over(own_stack: Stack) -> None:
    assert own_stack.process is not None
    services = {"postgres", "redis-server"}
    children = {
        pid
        for pid in pids_of(own_stack) - {own_stack.process.pid}
        if psutil.Process(pid).name() not in services
    }
    postgres = (own_stack.home / "postgres" / "postmaster.pid").read_text().split()[0]

    own_stack.process.kill()
    own_stack.process.wait()

    wait_until(lambda: alive(children) == set(), "all children have ended", seconds=STOP_SECONDS)
    own_stack.start()
    own_stack.wait_shown()
    now = (own_stack.home / "postgres" / "postmaster.pid").read_text().split()[0]
    assert now == postgres


def test_children_are_recorded_with_their_birth(stack: Stack) -> None:
    recorded = json.loads((stack.home / "children.json").read_text())["groups"]

    for group in recorded:
        assert abs(psutil.Process(group["pid"]).create_time() - group["created"]) < 0.05
