"""A web process of the upload bench's own, over this installation's services.

Like the one of `make run`, but for two things: nobody else uses it, and looking for an
object may take as long as it takes with a store that is not on this machine.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from processing.benchmarks.caller import CallError

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
HOST = "127.0.0.1"


@contextmanager
def served(stat_seconds: float) -> Iterator[str]:
    """Run the server in a process of its own; yield its address once it answers."""
    port = _free_port()
    module = "processing.benchmarks.upload_server"
    arguments = ("--port", str(port), "--stat-seconds", str(stat_seconds))
    server = subprocess.Popen([sys.executable, "-m", module, *arguments], env=_environment())
    try:
        _wait_until_ready(server, port)
        yield f"http://{HOST}:{port}"
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def main() -> None:
    """Serve until somebody ends the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--stat-seconds", type=float, required=True)
    given = parser.parse_args()
    # As in the web process of `make run`.
    os.environ.setdefault("DATABASE_POOL_SIZE", "16")

    import django

    django.setup()

    import uvicorn
    from django.conf import settings
    from django.utils.module_loading import import_string

    _slow_down(given.stat_seconds)
    application = import_string(settings.ASGI_APPLICATION)
    options: dict[str, Any] = {"lifespan": "off", "server_header": False, "access_log": False}
    uvicorn.run(application, host=HOST, port=given.port, log_level="warning", **options)


def _slow_down(seconds: float) -> None:
    """Have every look for an object take so much longer."""
    from documents.storage import get_storage

    storage: Any = type(get_storage())
    stat = storage.stat

    def slow_stat(self: Any, key: str) -> Any:
        time.sleep(seconds)
        return stat(self, key)

    if seconds:
        storage.stat = slow_stat


def _environment() -> dict[str, str]:
    """Return what makes a child use the services and keys that this process uses."""
    from django.conf import settings

    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "config.settings"),
        "SLUICE_HOME": str(settings.SLUICE_HOME),
        "DATABASE_URL": _database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "STORAGE_ROOT": str(settings.STORAGE_ROOT),
        "ALLOWED_HOSTS": HOST,
        "HTTPS": "false",
    }


def _database_url() -> str:
    from django.db import connection

    given = connection.settings_dict
    login = quote(str(given["USER"]), safe="")
    if given["PASSWORD"]:
        login += f":{quote(str(given['PASSWORD']), safe='')}"
    parameters = f"host={quote(str(given['HOST']), safe='')}"
    if given["PORT"]:
        parameters += f"&port={given['PORT']}"
    return f"postgresql://{login}@/{quote(str(given['NAME']), safe='')}?{parameters}"


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        if server.poll() is not None:
            raise CallError(f"The server of the bench ended with {server.returncode}.")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise CallError("The server of the bench does not start.") from error
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
