"""Have hostile documents read in the real sandbox, and say how that ended."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from documents.errors import SluiceError
from processing.sandbox import Limits, Sandbox

MODULE = "tests.processing.hostile_tasks"
READ, DRAW, LOOK = f"{MODULE}:read", f"{MODULE}:draw", f"{MODULE}:look"
# Those of a worker by default, but for time: nothing here may need as much as it gives.
LIMITS = Limits(cpu_seconds=60, wall_seconds=170)


@dataclass(frozen=True, slots=True)
class Judged:
    """How it ended: a word, or the code of an error and its sentence.

    `seconds` are those of the processor, and `peak_bytes` is the memory that the child used
    beyond what it was forked with; a child that the sandbox ended tells neither.
    """

    end: str
    detail: str
    seconds: float = 0.0
    peak_bytes: int | None = None


@contextmanager
def judging() -> Iterator[Sandbox]:
    """Give a sandbox that is as warm as a worker's."""
    sandbox = Sandbox(tasks=[READ, DRAW, LOOK], preload="processing.preload:warm_up")
    try:
        sandbox.start()
        yield sandbox
    finally:
        sandbox.close()


def judge(sandbox: Sandbox, task: str, path: Path, limits: Limits = LIMITS) -> Judged:
    """Run a task on a document, from a place that has no suffix, as the store has none."""
    with tempfile.TemporaryDirectory() as folder:
        stored = shutil.copyfile(path, Path(folder) / "object")
        arguments = {"path": str(stored), "name": path.name}
        try:
            answer = sandbox.run(task, arguments=arguments, limits=limits)
        except SluiceError as error:
            return Judged(error.code, error.detail)
    assert isinstance(answer, dict)
    return Judged(**answer)
