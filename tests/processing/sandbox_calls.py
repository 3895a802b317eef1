"""Call a sandbox in tests, and look at what its processes left behind."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from processing.sandbox import JSON, Call, Limits, Sandbox

MODULE = "tests.processing.sandbox_tasks"
PROJECT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
# Far more than anything takes here; a test that waits this long has failed.
PATIENCE_SECONDS = 20
SMALL = Limits(memory_bytes=128 * MIB, cpu_seconds=20, wall_seconds=20, result_bytes=8 * MIB)
TASKS = [
    f"{MODULE}:{name}"
    for name in vars(__import__(MODULE, fromlist=["x"]))
    if not name.startswith("_")
]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="a promise of the Linux kernel")


def make_sandbox(preload: str | None = "warm_up") -> Sandbox:
    return Sandbox(tasks=TASKS, preload=preload and f"{MODULE}:{preload}")


def run(
    sandbox: Sandbox,
    name: str,
    *,
    limits: Limits = SMALL,
    on_start: Callable[[Call], None] | None = None,
    **arguments: JSON,
) -> Any:
    return sandbox.run(f"{MODULE}:{name}", arguments=arguments, limits=limits, on_start=on_start)


def wait_until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not claim():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def pids_in(path: Path) -> list[int]:
    wait_until(path.exists)
    return [int(pid) for pid in path.read_text().split()]


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


class InThread(threading.Thread):
    """A call in a thread of its own, with what came of it."""

    def __init__(self, sandbox: Sandbox, name: str, **options: Any) -> None:
        super().__init__(daemon=True)
        self.call: Call | None = None
        self.error: BaseException | None = None
        self.value: Any = None
        self._work: Callable[[], Any] = lambda: run(sandbox, name, on_start=self._note, **options)
        self.start()

    def _note(self, call: Call) -> None:
        self.call = call

    def run(self) -> None:
        try:
            self.value = self._work()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def finish(self) -> BaseException | None:
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive()
        return self.error
