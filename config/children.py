"""The processes of a running Sluice: started again when they die, ended in time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from config import processes

BASE_DIR = Path(__file__).resolve().parent.parent
LOG_BYTES = 5 * 1024 * 1024
LOGS_KEPT = 3
# Who lived this long has started well: the next death is a new story.
STEADY_SECONDS = 10.0
MAX_PAUSE_SECONDS = 15.0
# Who ends well has done its work; who does so at once would be started over and over.
WORKED_SECONDS = 2.0
# A clock that was set since the record was written is no reboot.
BOOT_TOLERANCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run, under which name; the name is the log's too."""

    name: str
    command: tuple[str, ...]


class Child:
    """One process in a session of its own, so that a Ctrl-C reaches only its supervisor."""

    def __init__(self, spec: ChildSpec, environment: Mapping[str, str], log_dir: Path) -> None:
        self.name = spec.name
        self.log = log_dir / f"{spec.name}.log"
        self.deaths = 0
        self._deaths_in_a_row = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._spec = spec
        self._environment = environment
        self._started = 0.0
        self._due = 0.0
        rotate(self.log)

    def start(self) -> None:
        """Launch the process; its output goes to its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._spec.command,
                cwd=BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started = time.monotonic()

    def keep_alive(self) -> bool:
        """Start the process again if it died and its pause is over; say if it was started."""
        if self.process is None:
            if time.monotonic() < self._due:
                return False
            self.start()
            return True
        if self.process.poll() is not None:
            self._bury(self.process)
        return False

    def exit_code(self) -> int | None:
        return None if self.process is None else self.process.poll()

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        # What the dead left in its group, such as a worker without its master.
        processes.signal_group(process.pid, signal.SIGKILL)
        self.process = None
        self._due = 0.0
        lived = time.monotonic() - self._started
        if process.returncode == 0 and lived > WORKED_SECONDS:
            # A worker that is renewed: the next one is due at once.
            return
        self.deaths += 1
        self._deaths_in_a_row = 1 if lived > STEADY_SECONDS else self._deaths_in_a_row + 1
        # The first death costs no pause, the next ones 0.5 s, 1 s, 2 s and so on.
        pause = 0.25 * 2 ** (self._deaths_in_a_row - 1) if self._deaths_in_a_row > 1 else 0.0
        self._due = time.monotonic() + min(pause, MAX_PAUSE_SECONDS)


def specs(*, host: str, port: int, workers: int, threads: int) -> list[ChildSpec]:
    """Return what a running Sluice consists of, besides its services."""
    python = sys.executable
    web = ChildSpec(
        "web",
        (
            *(python, "-m", "uvicorn", "config.asgi:application"),
            *("--host", host, "--port", str(port)),
            # A client of the sockets has little to say.
            *("--ws-max-size", "4096", "--timeout-graceful-shutdown", "3"),
            *("--lifespan", "off", "--no-server-header", "--no-access-log"),
        ),
    )
    conductor = ChildSpec("conductor", (python, "manage.py", "conductor"))
    # Supervised masters of one process each: one killed child of a master of
    # many would take all of them down. Every actor is in processing.tasks, so
    # that nothing has to be discovered by loading Django twice.
    work = (
        *(python, "-m", "dramatiq", "django_dramatiq.setup", "processing.tasks"),
        *("--processes", "1", "--threads", str(threads)),
        *("--worker-shutdown-timeout", "4500", "--skip-logging"),
    )
    return [web, conductor, *(ChildSpec(f"worker-{n + 1}", work) for n in range(workers))]


def environment(home: Path, *, host: str, port: int) -> dict[str, str]:
    """Return what every child sees: ours, and one thread for each numeric library.

    The workers are as many as the cores; libraries that open a pool per core
    in each of them would fight over the same cores.
    """
    # A restart that compiles every module anew takes three times as long.
    given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    single = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **dict.fromkeys(single, "1"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        **given,
        "SLUICE_HOME": str(home),
        "HOST": host,
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }


def stop_all(children: Iterable[Child], seconds: float) -> None:
    """Ask every child to end, wait, and kill those that did not, with all they started."""
    running = [child.process for child in children if child.process is not None]
    end_groups([process.pid for process in running], seconds)
    for process in running:
        process.wait()


def kill_all(children: Iterable[Child]) -> None:
    """Kill every child's group at once."""
    for child in children:
        if child.process is not None:
            processes.signal_group(child.process.pid, signal.SIGKILL)


def end_groups(leaders: Sequence[int], seconds: float) -> None:
    """End these process groups: a SIGTERM to each leader, time to obey, then SIGKILL."""
    # A parser runs in a session of its own, out of reach of its group.
    started_by_them = _descendants(leaders)
    for pid in leaders:
        # The leader only: a Dramatiq worker takes a second SIGTERM, from its
        # master, as an order to drop everything.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    outwait_groups(leaders, seconds)
    for left in started_by_them:
        with suppress(psutil.NoSuchProcess):
            left.kill()


def outwait_groups(leaders: Sequence[int], seconds: float) -> None:
    """Wait until the leaders have ended by themselves; then kill what is left of the groups."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(map(processes.find, leaders)):
        time.sleep(0.05)
    for pid in leaders:
        processes.signal_group(pid, signal.SIGKILL)


def record(children: Iterable[Child], path: Path) -> None:
    """Write down which groups are ours, for who has to end them when we cannot."""
    groups = []
    for child in children:
        found = processes.find(child.process.pid) if child.process else None
        if found is not None:
            groups.append({"name": child.name, "pid": found.pid, "created": found.create_time()})
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"boot": psutil.boot_time(), "groups": groups}))
    temporary.replace(path)


def recorded(path: Path) -> list[int]:
    """Return the leaders of the recorded groups that are still there."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return []
    if abs(found["boot"] - psutil.boot_time()) > BOOT_TOLERANCE_SECONDS:
        return []
    return [group["pid"] for group in found["groups"] if _is_still_ours(group)]


def rotate(log: Path) -> None:
    """Move a log that has grown large aside; the last three are kept."""
    if not log.exists() or log.stat().st_size < LOG_BYTES:
        return
    for number in range(LOGS_KEPT - 1, 0, -1):
        older = log.with_suffix(f".log.{number}")
        if older.exists():
            older.replace(log.with_suffix(f".log.{number + 1}"))
    log.replace(log.with_suffix(".log.1"))


def _descendants(pids: Iterable[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.Error):
            found += psutil.Process(pid).children(recursive=True)
    return found


def _is_still_ours(group: Mapping[str, float]) -> bool:
    """Say whether the group is the recorded one.

    A number is not given out again while a group has it: a living process with
    that pid and another birth means the group is gone, no process at all means
    that only members without their leader can be left.
    """
    pid = int(group["pid"])
    if processes.find(pid) is None:
        return _has_members(pid)
    return processes.find(pid, group["created"]) is not None


def _has_members(pgid: int) -> bool:
    try:
        os.killpg(pgid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
