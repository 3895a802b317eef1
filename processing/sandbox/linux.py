"""The Linux calls Python has no name for. Elsewhere each does nothing and says so.

man 2 prctl, unshare, capset; man 7 user_namespaces, network_namespaces.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CAPABILITY_VERSION_3 = 0x20080522

IS_LINUX = sys.platform == "linux"
# What `ru_maxrss` counts in: man 2 getrusage, there and here.
MAXRSS_BYTES = 1024 if IS_LINUX else 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends."""
    if IS_LINUX:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own, so that none can hide."""
    if IS_LINUX:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[int]:
    """Return the processes this one is parent of; none where the kernel does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listing:
            return [int(pid) for pid in listing.read().split()]
    except FileNotFoundError:
        return []


def resident_bytes() -> int:
    """Return how much memory this process has; 0 where the kernel does not tell."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        return 0


def drop_privileges() -> list[str]:
    """Leave the network and every privilege; return the namespaces that were granted.

    Must run before the first thread starts. A user namespace of its own also
    keeps a child from reading /proc/<worker>/environ, which belongs to the
    same user. Containers often refuse both; the other barriers then stand alone.
    """
    if not IS_LINUX:
        return []
    granted = _enter_namespaces()
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # A new user namespace comes with every capability inside it, and root has them anyway.
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _libc.capset(header, (ctypes.c_uint32 * 6)())
    return granted


def _enter_namespaces() -> list[str]:
    uid, gid = os.getuid(), os.getgid()
    if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:
        _keep_identity(uid, gid)
        return ["user", "network"]
    return ["network"] if _libc.unshare(CLONE_NEWNET) == 0 else []


def _keep_identity(uid: int, gid: int) -> None:
    maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
    for name, content in maps.items():
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(content)
        except PermissionError:
            # Without a map the process is called nobody; what it may do is the same.
            return
