"""The guard itself: what leaves the machine is refused and recorded, the rest passes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.netguard.sitecustomize import is_local


def run(program: str, log: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SLUICE_NETGUARD_LOG": str(log)}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "program",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import socket; socket.getaddrinfo('sluice.example', 80)",
        "import socket; socket.gethostbyname('sluice.example')",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "import socket; socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
        "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')",
    ],
)
def test_child_process_cannot_leave_the_machine(program: str, tmp_path: Path) -> None:
    log = tmp_path / "log"

    done = run(program, log)

    assert done.returncode != 0
    assert "no connection outside" in done.stderr
    assert "socket." in log.read_text()


def test_loopback_and_unix_sockets_pass(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "import socket; server = socket.create_server(('127.0.0.1', 0));"
        "socket.create_connection(server.getsockname()).close();"
        f"path = {str(tmp_path / 's')!r}; unix = socket.socket(socket.AF_UNIX);"
        "unix.bind(path); unix.listen(); socket.socket(socket.AF_UNIX).connect(path)"
    )

    done = run(program, log)

    assert done.returncode == 0, done.stderr
    assert not log.exists()


def test_own_process_is_guarded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import socket

    monkeypatch.setenv("SLUICE_NETGUARD_LOG", str(tmp_path / "log"))

    with pytest.raises(PermissionError, match="no connection outside"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        (("127.0.0.1", 80), True),
        (("::1", 80, 0, 0), True),
        ("localhost", True),
        ("/tmp/socket", True),
        (b"\0abstract", True),
        (("10.0.0.1", 80), False),
        ("pypi.example", False),
    ],
)
def test_addresses_are_told_apart(address: object, local: bool) -> None:
    assert is_local(address) is local
