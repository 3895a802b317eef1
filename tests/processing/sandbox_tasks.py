"""What documents make parsers do, on purpose: each function is run in a child by test_sandbox."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from documents.errors import EncryptedError

MIB = 1024 * 1024
PR_GET_PDEATHSIG = 2
KINDS_OF_LIMIT = ("AS", "CPU", "FSIZE", "NOFILE", "CORE", "NPROC")
warmed_up_in: list[int] = []


def warm_up() -> None:
    warmed_up_in.append(os.getpid())


def fail_to_warm_up() -> None:
    raise RuntimeError("the parser is not installed")


def start_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def echo(value: Any) -> dict[str, Any]:
    return {"value": value, "pid": os.getpid(), "server": os.getppid(), "warm": warmed_up_in}


def surroundings() -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "temporary": tempfile.gettempdir(),
        "descriptors": [int(fd) for fd in os.listdir("/proc/self/fd")],
        "interfaces": [line.split(":")[0].strip() for line in _interfaces()],
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "pid": os.getpid(),
        "server": os.getppid(),
        "nice": os.nice(0),
    }


def _interfaces() -> list[str]:
    return Path("/proc/self/net/dev").read_text().splitlines()[2:]


def bounds() -> dict[str, Any]:
    """Return what the kernel says it holds this process to."""
    death = ctypes.c_int()
    ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(death))
    lines = Path("/proc/self/status").read_text().splitlines()
    told = dict(line.split(":\t", 1) for line in lines)
    return {
        "limits": _limits(),
        "mapped": int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize(),
        "killed_with_its_parent_by": death.value,
        "no_new_privileges": told["NoNewPrivs"],
        "capabilities": {name: int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff")},
        "first_to_be_killed": int(Path("/proc/self/oom_score_adj").read_text()),
    }


def raise_limits() -> dict[str, str]:
    """Try to be held to less, and tell what came of it."""
    tried = {}
    for name, (_, most) in _limits().items():
        if most == resource.RLIM_INFINITY:
            continue
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most + 1))
            tried[name] = "raised"
        except (ValueError, OSError) as error:
            tried[name] = str(error)
    return tried


def _limits() -> dict[str, tuple[int, int]]:
    return {
        name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in KINDS_OF_LIMIT
    }


def read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        return type(error).__name__


def segfault() -> None:
    ctypes.string_at(0)


def abort(words: str, mebibytes: int = 0, listed: int = 0) -> None:
    """Say something and abort, as a library does; `listed` modules are named behind it."""
    kept = bytearray(b"x") * (mebibytes * MIB)
    modules = "\nExtension modules: " + "numpy.random, " * listed if listed else ""
    os.write(2, (words + modules).encode())
    assert len(kept) == mebibytes * MIB
    os.abort()


def hog(mebibytes: int) -> int:
    kept = [bytearray(MIB) for _ in range(mebibytes)]
    return len(kept)


def hog_behind_a_wrapper() -> None:
    try:
        hog(4096)
    except MemoryError as error:
        raise ValueError("bad table") from error


def spin() -> None:
    while True:
        pass


def spin_and_ignore_the_limit() -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    spin()


def sleep(pid_file: str | None = None) -> None:
    if pid_file:
        _tell(pid_file, [os.getpid(), os.getppid()])
    time.sleep(600)


def sleep_with_helpers(pid_file: str) -> None:
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    escaped = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    _tell(pid_file, [os.getpid(), helper.pid, escaped.pid])
    time.sleep(600)


def leave_helpers_behind() -> list[int]:
    pids = [os.getpid()]
    for new_session in (False, True):
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        pids.append(subprocess.Popen(command, start_new_session=new_session).pid)
    return pids


def fork_until_refused(most: int) -> list[int]:
    pids = []
    try:
        for _ in range(most):
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
                os._exit(0)
            pids.append(pid)
    except OSError:
        return pids
    return pids


def _tell(path: str, numbers: list[int]) -> None:
    Path(path + ".new").write_text(" ".join(str(number) for number in numbers))
    os.rename(path + ".new", path)


def write(mebibytes: int) -> None:
    with open("unpacked", "wb") as file:
        for _ in range(mebibytes):
            file.write(bytes(MIB))


def litter() -> str:
    Path(tempfile.mkdtemp(), "page.png").write_bytes(b"x")
    os.mkdir("locked")
    Path("locked/inner").write_text("x")
    os.chmod("locked", 0)
    return os.getcwd()


def nest_directories(depth: int) -> str:
    here = os.getcwd()
    for _ in range(depth):
        os.mkdir("nested")
        os.chdir("nested")
    return here


def open_many(count: int) -> int:
    kept = [open(os.devnull) for _ in range(count)]
    return len(kept)


def raise_encrypted() -> None:
    raise EncryptedError("report.pdf needs a password.", pages=3, parser=object())


def raise_value_error() -> None:
    raise ValueError("trailer of /etc/secret not found")


def raise_system_exit() -> None:
    sys.exit(0)


def recurse() -> None:
    recurse()


def exit_without_an_answer() -> None:
    os._exit(0)


def huge_answer(mebibytes: int) -> str:
    return "x" * (mebibytes * MIB)


def strange_answer(kind: str) -> Any:
    return {"nan": float("nan"), "surrogate": "a\ud800b", "object": object()}[kind]


def forge(answer: str) -> None:
    """Do what a hijacked parser would: write to the result pipe itself."""
    data = answer.encode()
    while data:
        data = data[os.write(3, data) :]
    os._exit(0)


def answer_and_stay(pid_file: str) -> None:
    _tell(pid_file, [os.getpid()])
    os.write(3, b'{"value": 1}\n')
    os.close(3)
    time.sleep(600)


def flood() -> None:
    while True:
        os.write(3, b"[" * MIB)


def connect(port: int) -> dict[str, str]:
    attempts: dict[str, Callable[[], object]] = {
        "python": lambda: socket.create_connection(("127.0.0.1", port), timeout=5),
        "name": lambda: socket.getaddrinfo("localhost", port),
        "library": lambda: _connect_without_python(port),
    }
    tried = {}
    for name, attempt in attempts.items():
        try:
            attempt()
            tried[name] = "connected"
        except OSError as error:
            tried[name] = type(error).__name__
    return tried


def _connect_without_python(port: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    address = (
        socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + bytes([127, 0, 0, 1])
    )
    with socket.socket() as sock:
        if libc.connect(sock.fileno(), address + bytes(8), 16) != 0:
            raise OSError(ctypes.get_errno(), "refused")


def chatter() -> str:
    print("Warning: to standard output")
    os.write(1, b"to the descriptor\n")
    print("to standard error", file=sys.stderr)
    return "said"


def kill_server() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def stop_server() -> None:
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(600)
