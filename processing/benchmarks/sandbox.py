"""What a child of its own costs: a small text there and back, off a warm server."""

import tempfile
import time
from pathlib import Path

from processing import reading
from processing.extraction import media_types

TEXT_BYTES = 2048
NAME = "note.txt"
_SENTENCE = "The lantern by the lake was lit every evening at nine. "


def measure(calls: int) -> dict[str, list[float]]:
    """Return the milliseconds of so many calls of each kind, made one after the other.

    One call is what a worker waits for: a fork, the work in the child, and its answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object"
        path.write_text((_SENTENCE * TEXT_BYTES)[:TEXT_BYTES])
        named = {"path": str(path), "name": NAME}
        asked = {
            "detect": (reading.DETECT, named),
            "read": (reading.READ, {**named, "media_type": media_types.TEXT}),
        }
        reading.start_sandbox()
        times: dict[str, list[float]] = {name: [] for name in asked}
        # The first of each is made for what only a first call costs.
        for at in range(calls + 1):
            for name, (task, arguments) in asked.items():
                taken = _timed(task, arguments)
                if at:
                    times[name].append(taken)
    times["detect and read"] = [sum(both) for both in zip(*times.values(), strict=True)]
    return times


def _timed(task: str, arguments: dict[str, str]) -> float:
    started = time.perf_counter()
    reading.sandbox.run(task, arguments=arguments)
    return 1000 * (time.perf_counter() - started)
