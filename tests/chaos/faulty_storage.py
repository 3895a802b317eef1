"""Run the proxy before a store, and say what it shall break."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.documents.storage_server import send
from tests.test_architecture import ROOT

HERE = ("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class FaultyStorage:
    """A running proxy: `url` is the endpoint to use instead of the store's own."""

    url: str
    control_url: str
    pid: int

    def set(self, **faults: Any) -> None:
        """Put these faults into force and no other; see storage_proxy.Faults."""
        answer = send(HERE, "PUT", f"{self.control_url}/faults", json.dumps(faults).encode())
        if answer.status != 200:
            raise ValueError(answer.body.decode())

    def counts(self) -> dict[str, int]:
        """Return how many requests came, and how many met each fault."""
        counts: dict[str, int] = json.loads(send(HERE, "GET", f"{self.control_url}/counts").body)
        return counts


@contextmanager
def proxied(upstream: str, *, seed: int = 1, only: str = "") -> Iterator[FaultyStorage]:
    """Run a proxy before the store until the context ends."""
    command = [sys.executable, "-m", "tests.chaos.storage_proxy"]
    command += ["--upstream", upstream, "--seed", str(seed), "--only", only]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            yield FaultyStorage(
                url=f"http://127.0.0.1:{ports['listen']}",
                control_url=f"http://127.0.0.1:{ports['control']}",
                pid=process.pid,
            )
        finally:
            process.terminate()
