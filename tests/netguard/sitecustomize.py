"""Refuse and record every connection that would leave this machine.

Python imports a module of this name at its start, so the folder on PYTHONPATH
guards every child process too. The hook sees what goes through Python's socket
module; what a C library opens by itself it does not see.
"""

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any

LOG_VARIABLE = "SLUICE_NETGUARD_LOG"
_watched = {
    "socket.connect": lambda args: args[1],
    "socket.sendto": lambda args: args[1],
    "socket.sendmsg": lambda args: args[1],
    "socket.getaddrinfo": lambda args: args[0],
    "socket.gethostbyname": lambda args: args[0],
}


def install() -> None:
    """Guard this process for the rest of its life."""
    sys.addaudithook(_guard)


def is_local(address: Any) -> bool:
    """Say whether an address of any family stays on this machine."""
    if isinstance(address, tuple):
        address = address[0] if address else None
    if address is None:
        return True
    name = address.decode(errors="replace") if isinstance(address, bytes) else str(address)
    # A Unix socket is a path, an abstract name starting with NUL, or nothing.
    if not name or name.startswith(("/", "\0")):
        return True
    if name in {"localhost", os.uname().nodename}:
        return True
    try:
        found = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def _guard(event: str, args: tuple[Any, ...]) -> None:
    address_of = _watched.get(event)
    if address_of is None:
        return
    address = address_of(args)
    if is_local(address):
        return
    line = f"{event} {address!r} in process {os.getpid()}: {' '.join(sys.argv)}\n"
    log = os.environ.get(LOG_VARIABLE)
    if log:
        with Path(log).open("a") as stream:
            stream.write(line)
    raise PermissionError(f"Tests open no connection outside this machine: {line}")


if os.environ.get(LOG_VARIABLE):
    install()
