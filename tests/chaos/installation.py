"""A whole Sluice whose every part can be killed by itself: no supervisor hides a death.

Each process is started as `manage.py run` would start it, kept alive by a thread that
is told what to leave dead, and found by pid. PostgreSQL runs with fsync on.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import redis

from config import children
from config.local_postgres import LocalPostgres
from config.local_redis import LocalRedis
from documents import faults
from tests.plugin import HOME
from tests.stack import READY_SECONDS, ROOT, free_port, plain_environment, wait_until

LOOK_SECONDS = 0.05
LEASE_SECONDS = 5
LADDER = (1, 1, 2, 2, 3)
# Everything that waits for minutes in production waits for seconds here.
QUICK = {
    "LEASE_SECONDS": f"{LEASE_SECONDS}",
    "HEARTBEAT_SECONDS": "1",
    "STALLED_SECONDS": "8",
    "RETRY_LADDER_SECONDS": ",".join(map(str, LADDER)),
    "UPLOAD_IDLE_SECONDS": "2",
    "SWEEP_SECONDS": "2",
    "MULTIPART_BYTES": "100000",
    "PART_BYTES": "40000",
    "MAX_ATTEMPTS": "12",
    "WORKER_THREADS": "3",
    # A worker that is renewed in mid-trial looks like one that did not survive; a rolling
    # restart has trials of its own.
    "WORKER_MAX_JOBS": "0",
    "OCR_SLICE_SECONDS": "1",
    "PARSE_CPU_SECONDS": "6",
    "PARSE_WALL_SECONDS": "30",
}

MAKE_USER = (
    "from django.contrib.auth import get_user_model as model;"
    "from django.core.management import call_command as call;"
    "model().objects.create_user({name!r}, password={name!r}); call('create_token', {name!r})"
)


class Installation:
    """PostgreSQL, Redis, one web, two workers and two conductors, all our own children."""

    def __init__(self, home: Path, *, workers: int = 2, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.faults = home / "faults"
        self.postgres = LocalPostgres(home)
        self.redis = LocalRedis(home)
        self.environment = (
            plain_environment()
            | children.environment(home, host="127.0.0.1", port=self.port)
            | QUICK
            | {"STATIC_ROOT": str(HOME / "static"), faults.FOLDER_VARIABLE: str(self.faults)}
            | environment
        )
        for name in ("DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE"):
            self.environment.pop(name, None)
        self._workers = workers
        self._children: dict[str, children.Child] = {}
        self._held_down: set[str] = set()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep_alive, name="keeper", daemon=True)

    # --- life -----------------------------------------------------------------

    def start(self) -> None:
        """Bring everything up and return once it is ready."""
        (self.home / "log").mkdir(parents=True, exist_ok=True)
        # Deaths are the test's doing: no growing pause before each new start.
        children.STEADY_SECONDS = 0.0
        self.faults.mkdir(exist_ok=True)
        # The parsers and the store run under the same account or a humbler one.
        self.faults.chmod(0o777)
        for service in (self.postgres, self.redis):
            service.start()
        for service in (self.postgres, self.redis):
            service.wait_ready()
        self.manage("migrate", "--verbosity", "0")
        if not (HOME / "static" / "staticfiles.json").exists():
            self.manage("collectstatic", "--no-input", "--verbosity", "0")
        specs = children.specs(host="127.0.0.1", port=self.port, workers=self._workers, threads=3)
        conductor = next(spec for spec in specs if spec.name == "conductor")
        specs.append(children.ChildSpec("conductor-2", conductor.command))
        for spec in specs:
            child = children.Child(spec, self.environment, self.home / "log")
            self._children[spec.name] = child
            child.start()
        self._keeper.start()
        self.wait_ready()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return once /readyz says that everything can do its work."""
        wait_until(self.is_ready, "the installation is ready", seconds=seconds)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """End everything that was started here, whatever a test has done to it."""
        self._ending.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for name in self._children:
            self.signal(name, signal.SIGCONT)
        if self._connection is not None:
            self._connection.close()
        children.stop_all(self._children.values(), 6)
        self.redis.stop()
        self.postgres.stop()

    def show_logs(self) -> None:
        """Print the end of every log, for the report of a failure."""
        for log in sorted((self.home / "log").glob("*.log")):
            print(f"--- {log.name}\n" + log.read_text(errors="replace")[-3000:])

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={k: v for k, v in self.environment.items() if k != faults.FOLDER_VARIABLE},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def create_user(self, username: str) -> str:
        """Make a user with a workspace; return an API token. The password is the name."""
        return self.manage("shell", "--command", MAKE_USER.format(name=username)).split()[-1]

    # --- what runs ------------------------------------------------------------

    def pid(self, name: str) -> int | None:
        """Return the process of this name, if it lives."""
        process = self._children[name].process
        return process.pid if process is not None and process.poll() is None else None

    def pids(self) -> dict[str, int]:
        """Return everything that lives, the processes that do the work included."""
        found: dict[str, int] = {}
        for name in self._children:
            for kind, pid in ((name, self.pid(name)), (f"{name}'s work", self._work_of(name))):
                if pid is not None:
                    found[kind] = pid
        return found

    def _work_of(self, name: str) -> int | None:
        return self.worker_pid(name) if name.startswith("worker") else None

    def seen_since_start(self) -> set[int]:
        """Return who has written its heartbeat since PostgreSQL was last started."""
        rows = self.rows(
            "select pid from processing_worker where seen_at > pg_postmaster_start_time() "
            "and stopped_at is null"
        )
        return {row[0] for row in rows}

    def names(self, prefix: str) -> list[str]:
        return [name for name in self._children if name.startswith(prefix)]

    def worker_pid(self, name: str) -> int | None:
        """Return the process that does the work: the child of the Dramatiq master."""
        master = self.pid(name)
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(master).children() if master else []:
                if "resource_tracker" not in " ".join(child.cmdline()):
                    return child.pid
        return None

    def leader(self) -> str | None:
        """Return the name of the conductor that leads."""
        rows = self.rows(
            "select pid from processing_worker where kind = 'conductor' and is_leader "
            "and stopped_at is null order by seen_at desc limit 1"
        )
        by_pid = {self.pid(name): name for name in self.names("conductor")}
        return by_pid.get(rows[0][0]) if rows else None

    def wait_leader(self) -> str:
        """Return the name of the conductor that leads, once one does."""
        wait_until(lambda: self.leader() is not None, "a conductor leads", seconds=60)
        return self.leader() or ""

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database; over one connection, because tests ask many times a second."""
        try:
            return self._ask(query, values)
        except psycopg.OperationalError:
            # The server was killed since, and whoever asks now wants the new one.
            self._connection = None
            return self._ask(query, values)

    def _ask(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = psycopg.connect(self.postgres.url, autocommit=True)
        return self._connection.execute(query, values).fetchall()

    def execute(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(statement, values)

    # --- what strikes ---------------------------------------------------------

    def arm(self, point: str, action: str) -> list[int]:
        """Have the next process that passes `point` do `action`; see documents/faults.py.

        Waits for what is armed there already, and returns whom it has struck before.
        """
        armed = self.faults / point
        wait_until(lambda: not armed.exists(), f"{point} has struck", seconds=90)
        known = self.strikers(point)
        half = self.faults / f".{point}"
        half.write_text(action)
        half.chmod(0o666)
        half.rename(armed)
        return known

    def wait_struck(self, point: str, *, known: list[int]) -> int:
        """Return the process that `point` struck next, after the known ones."""
        wait_until(lambda: len(self.strikers(point)) > len(known), f"{point} struck", seconds=60)
        left = list(self.strikers(point))
        for pid in known:
            left.remove(pid)
        return left[0]

    def poison(self, point: str, subject: str, action: str) -> None:
        """Have whoever passes `point` with this subject do `action`, each time."""
        poisoned = self.faults / f"{point}@{subject}"
        poisoned.write_text(action)
        poisoned.chmod(0o644)

    def disarm(self) -> None:
        """Take back what has not struck."""
        for armed in self.faults.iterdir():
            if ".struck." not in armed.name:
                armed.unlink(missing_ok=True)

    def struck(self, point: str) -> int:
        """Return how often `point` has struck since the start."""
        return len(self.strikers(point))

    def strikers(self, point: str) -> list[int]:
        """Return the processes that were struck at `point`."""
        found = self.faults.glob(f"{point}.struck.*")
        return [int(path.name.split(".struck.")[1].split(".")[0]) for path in found]

    def signal(self, name: str, signum: signal.Signals) -> None:
        """Signal a process and, for a worker, the one that does its work."""
        for pid in (self.pid(name), self._work_of(name)):
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signum)

    def kill(self, name: str) -> None:
        """SIGKILL a process; it is started again at once unless it is held down."""
        self.signal(name, signal.SIGKILL)

    @contextmanager
    def held_down(self, *names: str) -> Iterator[None]:
        """Kill these processes and leave them dead while the body runs."""
        self._held_down |= set(names)
        try:
            for name in names:
                self.kill(name)
            yield
        finally:
            self._held_down -= set(names)

    def kill_postgres(self) -> None:
        """SIGKILL the whole server, as a power cut would; `postgres.start` brings it back."""
        _kill_tree(int((self.postgres.data / "postmaster.pid").read_text().split("\n", 1)[0]))
        wait_until(lambda: not self.postgres.is_running(), "PostgreSQL is dead")
        self.postgres.stop()

    def start_postgres(self) -> None:
        self.postgres.start()
        self.postgres.wait_ready()

    def kill_redis(self, *, empty: bool) -> None:
        """SIGKILL Redis, and forget all it knew."""
        _kill_tree(int(self.redis_client().info("server")["process_id"]))
        wait_until(lambda: not self.redis.is_running(), "Redis is dead")
        self.redis.stop()
        if empty:
            for file in (self.home / "redis").rglob("*"):
                if file.is_file():
                    file.unlink()

    def redis_client(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis.url)

    def start_redis(self) -> None:
        self.redis.start()
        self.redis.wait_ready()

    def _keep_alive(self) -> None:
        while not self._ending.is_set():
            for name, child in self._children.items():
                if name not in self._held_down or child.process is not None:
                    child.keep_alive()
            time.sleep(LOOK_SECONDS)


def _kill_tree(pid: int) -> None:
    """SIGKILL a process and all it started, parents first so that nothing is started again."""
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.kill()
