"""The whole of Sluice as a child process, the way `make run` starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.plugin import HOME

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 90.0
# What a person is promised after Ctrl-C.
STOP_SECONDS = 10.0


class Stack:
    """`manage.py run` with a home, a port and processes of its own."""

    def __init__(self, home: Path, *, port: int | None = None, **environment: str) -> None:
        self.home = home
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = home.parent / f"{home.name}-output.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **plain_environment(),
            "SLUICE_HOME": str(home),
            "PORT": str(self.port),
            # Collected once for all stacks of a session.
            "STATIC_ROOT": str(HOME / "static"),
            **environment,
        }

    def start(self) -> None:
        """Start it in a session of its own, as a terminal would; do not wait."""
        self.home.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Return once /readyz answers 200; fail with the output when it will not."""
        wait_until(
            lambda: self.is_ready() or self._has_ended(),
            "the stack is ready",
            seconds=READY_SECONDS,
        )
        assert not self._has_ended(), f"it ended:\n{self.output.read_text()}"

    def wait_shown(self) -> None:
        """Return once the box with the address is on the terminal."""
        wait_until(
            lambda: "Sluice is ready" in self.output.read_text() or self._has_ended(),
            "the address is shown",
            seconds=READY_SECONDS,
        )
        assert not self._has_ended(), f"it ended:\n{self.output.read_text()}"

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command against this stack."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def create_user(self, username: str, password: str = "correct-horse-battery") -> str:
        """Make a user with a workspace of their own; return an API token for them."""
        made = self.manage(
            "shell",
            "--command",
            "from django.contrib.auth import get_user_model as model;"
            "from django.core.management import call_command as call;"
            f"model().objects.create_user({username!r}, password={password!r});"
            f"call('create_token', {username!r})",
        )
        return made.stdout.split()[-1]

    def pids(self, prefix: str = "") -> dict[str, int]:
        """Return the supervised processes by name: web, conductor, worker-1, ..."""
        try:
            recorded = json.loads((self.home / "children.json").read_text())["groups"]
        except FileNotFoundError:
            return {}
        named = {group["name"]: group["pid"] for group in recorded}
        return {name: pid for name, pid in named.items() if name.startswith(prefix)}

    def worker_pids(self) -> list[int]:
        """Return the processes that do the work: the child of each Dramatiq master."""
        masters = [psutil.Process(pid) for pid in self.pids("worker").values()]
        return [
            child.pid
            for master in masters
            for child in master.children()
            if "resource_tracker" not in " ".join(child.cmdline())
        ]

    def survivors(self) -> list[str]:
        """Return every living process that was started for this home."""
        return [
            f"{process.pid} {' '.join(process.cmdline())}"
            for process in psutil.process_iter()
            if self._belongs_here(process)
        ]

    def interrupt(self) -> None:
        """Press Ctrl-C: SIGINT to the process group of the terminal."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)

    def wait_end(self, seconds: float = STOP_SECONDS) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        """End it and everything it started, whatever a test has done to it."""
        if self.process is None:
            return
        self.interrupt()
        try:
            self.wait_end(STOP_SECONDS * 2)
        finally:
            for process in psutil.process_iter():
                if self._belongs_here(process):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()

    def show_logs(self) -> None:
        """Print the end of every log, for the report of a failure."""
        for log in [self.output, *sorted((self.home / "log").glob("*.log"))]:
            if log.exists():
                print(f"--- {log.name}\n" + log.read_text(errors="replace")[-4000:])

    def _has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _belongs_here(self, process: psutil.Process) -> bool:
        """Know a process by its environment, or a server by the folder it works in."""
        if process.pid == os.getpid():
            return False
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            mine = process.environ().get("SLUICE_HOME") == str(self.home)
            return mine or any(str(self.home) in part for part in process.cmdline())
        except psutil.Error:
            return False


@contextmanager
def running(home: Path, **environment: str) -> Iterator[Stack]:
    """A ready stack; its logs are shown when the body fails, and nothing of it is left."""
    stack = Stack(home, **environment)  # type: ignore[arg-type]  # mypy sees a port in them
    try:
        stack.start()
        stack.wait_ready()
        yield stack
    except BaseException:
        stack.show_logs()
        raise
    finally:
        stack.stop()


def plain_environment() -> dict[str, str]:
    """Return the environment without services of others, which a stack brings itself.

    Nor with a wish for slow starts: each process would compile every module anew.
    """
    left_out = {"DATABASE_URL", "REDIS_URL", "DATABASE_POOL_SIZE", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in left_out}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 30.0) -> None:
    """Look until `condition` holds; fail by name at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Waited {seconds:.0f} s in vain until {what}."
        time.sleep(0.05)
