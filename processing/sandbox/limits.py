"""How much one parse may use, and the calls that make the kernel hold it to that."""

import os
import resource
import sys
from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB
# A child that ignores SIGXCPU is killed this much later.
CPU_GRACE_SECONDS = 1
# All children of one server together; enough for every thread pool a parser may start.
PROCESSES = 512
NICENESS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use. Memory and bytes count what the call adds, not what is preloaded."""

    memory_bytes: int = 1536 * MIB
    cpu_seconds: int = 120
    wall_seconds: float = 180
    file_bytes: int = 512 * MIB
    open_files: int = 256
    result_bytes: int = 256 * MIB


def impose(limits: Limits, *, own_users: bool) -> None:
    """Limit this process and its descendants for good.

    `own_users` says that the process lives in its own user namespace. Only
    there does RLIMIT_NPROC count the sandbox alone: elsewhere it counts
    everything the same user runs on the machine.
    """
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + CPU_GRACE_SECONDS)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    if own_users:
        _limit(resource.RLIMIT_NPROC, PROCESSES)
    if sys.platform == "linux":
        # A fork starts with everything the server maps: gigabytes of libraries and reserved
        # arenas that cost no memory. A fixed limit would refuse the first allocation.
        _limit(resource.RLIMIT_AS, mapped_bytes() + limits.memory_bytes)
        _volunteer_for_the_oom_killer()
    os.nice(NICENESS)


def mapped_bytes() -> int:
    """Return the size of this process's address space (Linux)."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def size(count: int) -> str:
    """Say a number of bytes the way people do: 1.5 GiB, 64 MiB."""
    return f"{count / GIB:.3g} GiB" if count >= GIB else f"{count / MIB:.3g} MiB"


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    _, ceiling = resource.getrlimit(kind)
    hard = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def _volunteer_for_the_oom_killer() -> None:
    # A machine out of memory then loses one parse and not a worker or the database.
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
