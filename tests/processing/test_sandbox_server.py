"""Calls that are killed, and the server they are forked from."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from documents import errors
from processing.sandbox import Call, Limits, Sandbox
from tests.processing.sandbox_calls import (
    MODULE,
    PROJECT,
    InThread,
    is_gone,
    linux_only,
    make_sandbox,
    pids_in,
    run,
    wait_until,
)

# --- killing --------------------------------------------------------------------


def test_kill_from_another_thread_raises_its_reason_and_ends_the_child(
    shared: Sandbox, tmp_path: Path
) -> None:
    noted = tmp_path / "pids"
    reason = errors.LeaseLostError()
    sleeper = InThread(shared, "sleep", pid_file=str(noted))
    child, _ = pids_in(noted)

    assert sleeper.call is not None
    sleeper.call.kill(reason)
    sleeper.call.kill(errors.NotFoundError())

    assert sleeper.finish() is reason
    assert is_gone(child)


def test_kill_without_a_reason_is_a_crash(shared: Sandbox) -> None:
    with pytest.raises(errors.CrashedError, match="was stopped"):
        run(shared, "sleep", on_start=lambda call: call.kill())


def test_kill_after_the_end_does_nothing(shared: Sandbox) -> None:
    calls: list[Call] = []

    run(shared, "echo", value=1, on_start=calls.append)
    calls[0].kill()

    assert run(shared, "echo", value=2)["value"] == 2


def test_child_ends_when_its_thread_is_interrupted(shared: Sandbox, tmp_path: Path) -> None:
    noted = tmp_path / "pids"

    def interrupt(_: Call) -> None:
        pids_in(noted)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(shared, "sleep", on_start=interrupt, pid_file=str(noted))

    assert is_gone(pids_in(noted)[0])


def test_child_killed_by_somebody_else_is_a_crash(shared: Sandbox, tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    sleeper = InThread(shared, "sleep", pid_file=str(noted))

    os.kill(pids_in(noted)[0], signal.SIGKILL)

    assert str(sleeper.finish()) == "Reading the document crashed (SIGKILL)."


# --- the server -----------------------------------------------------------------


@linux_only
def test_no_zombie_is_left_after_many_calls(fresh: Sandbox) -> None:
    server = run(fresh, "echo", value=1)["server"]
    for number in range(10):
        run(fresh, "echo", value=number)

    wait_until(lambda: psutil.Process(server).children() == [])


def test_dead_server_is_a_crash_and_the_next_call_starts_another(
    fresh: Sandbox, tmp_path: Path
) -> None:
    noted = tmp_path / "pids"
    first = run(fresh, "echo", value=1)["server"]
    sleeper = InThread(fresh, "sleep", pid_file=str(noted))
    child, _ = pids_in(noted)

    os.kill(first, signal.SIGKILL)

    assert isinstance(sleeper.finish(), errors.CrashedError)
    assert run(fresh, "echo", value=2)["server"] != first
    wait_until(lambda: is_gone(child) and is_gone(first))


def test_server_that_died_between_calls_is_replaced_without_an_error(fresh: Sandbox) -> None:
    first = run(fresh, "echo", value=1)["server"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: is_gone(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE)

    assert run(fresh, "echo", value=2)["server"] != first


def test_removed_temporary_directory_is_a_crash_and_the_next_call_makes_another(
    fresh: Sandbox,
) -> None:
    shutil.rmtree(Path(run(fresh, "surroundings")["directory"]).parent)

    with pytest.raises(errors.CrashedError):
        run(fresh, "echo", value=1)

    assert run(fresh, "echo", value=2)["value"] == 2


def test_stopped_server_is_replaced(monkeypatch: pytest.MonkeyPatch, fresh: Sandbox) -> None:
    monkeypatch.setattr("processing.sandbox.client.EXIT_SECONDS", 0.2)
    monkeypatch.setattr("processing.sandbox.process.STOP_SECONDS", 0.2)
    first = run(fresh, "echo", value=1)["server"]
    os.kill(first, signal.SIGSTOP)

    with pytest.raises(errors.ParseTimeoutError):
        run(fresh, "echo", limits=Limits(wall_seconds=0.5), value=2)

    assert run(fresh, "echo", value=3)["server"] != first
    assert is_gone(first)


def test_close_ends_every_child_and_the_server(tmp_path: Path) -> None:
    sandbox = make_sandbox()
    noted = tmp_path / "pids"
    sleeper = InThread(sandbox, "sleep_with_helpers", pid_file=str(noted))
    pids = pids_in(noted)
    server = psutil.Process(pids[0]).ppid()

    sandbox.close()
    sandbox.close()

    assert isinstance(sleeper.finish(), errors.CrashedError)
    wait_until(lambda: all(map(is_gone, [*pids, server])))
    with pytest.raises(errors.CrashedError, match="closed"):
        run(sandbox, "echo", value=1)


def test_failing_warm_up_is_a_crash_with_its_reason() -> None:
    sandbox = make_sandbox(preload="fail_to_warm_up")

    with pytest.raises(errors.CrashedError) as caught:
        run(sandbox, "echo", value=1)

    assert "the parser is not installed" in caught.value.details["cause"]


def test_sigkill_of_the_worker_leaves_no_process_and_no_directory(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    code = (
        "import sys\n"
        "from processing.sandbox import Sandbox\n"
        f"task = '{MODULE}:sleep_with_helpers'\n"
        f"Sandbox(tasks=[task]).run(task, arguments={{'pid_file': {str(noted)!r}}})\n"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "TMPDIR": str(tmp_path)}
    worker = subprocess.Popen([sys.executable, "-c", code], env=environment)
    pids = pids_in(noted)
    server = psutil.Process(pids[0]).ppid()

    worker.kill()
    worker.wait()

    wait_until(lambda: all(map(is_gone, [*pids, server])))
    wait_until(lambda: not list(tmp_path.glob("sluice-sandbox-*")))
