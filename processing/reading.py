"""The worker's side of the sandbox: what may run there, on what, within which limits."""

from pathlib import Path
from typing import Any

from django.conf import settings

from documents.errors import CorruptError
from documents.models import Document
from processing.extraction import Extraction
from processing.extraction import is_supported as is_supported
from processing.sandbox import JSON, Limits, Sandbox, Wear
from processing.stage import Held

DETECT = "processing.extraction.task:detect_type"
# Text of a document as JSON; a thousand novels fit.
MAX_RESULT_BYTES = 128 * 1024**2
READ = "processing.extraction.task:read"

sandbox = Sandbox(
    tasks=[DETECT, READ],
    preload="processing.extraction.task:warm_up",
    wear=Wear(settings.SANDBOX_MAX_CALLS, settings.SANDBOX_MAX_RSS_BYTES),
)


def detect(path: Path, document: Document, held: Held) -> str:
    """Return the media type of the bytes at `path`, whatever their name says."""
    answer = _run(DETECT, {"path": str(path), "name": document.name}, held)
    return str(answer["media_type"])


def read(path: Path, document: Document, held: Held) -> Extraction:
    """Return the text of the document whose bytes are at `path`."""
    arguments: dict[str, JSON] = {
        "path": str(path),
        "name": document.name,
        "media_type": document.content_type,
    }
    return Extraction.from_json(_run(READ, arguments, held))


def start_sandbox() -> None:
    """Have the sandbox warm before the first document comes."""
    sandbox.start()


def close_sandbox() -> None:
    """End every child and the server they come from."""
    sandbox.close()


def _run(task: str, arguments: dict[str, JSON], held: Held) -> dict[str, Any]:
    try:
        answer = sandbox.run(
            task,
            arguments=arguments,
            limits=_limits(halved=held.lease.crashes > 0),
            on_start=lambda call: held.attach(call.kill),
        )
    finally:
        held.detach()
    if not isinstance(answer, dict):
        raise CorruptError("The document could not be read.", answer=type(answer).__name__)
    return answer


def _limits(*, halved: bool) -> Limits:
    """Return the limits of a child; half of them for what crashed before."""
    share = 2 if halved else 1
    return Limits(
        memory_bytes=settings.PARSE_MEMORY_BYTES // share,
        cpu_seconds=settings.PARSE_CPU_SECONDS // share,
        wall_seconds=settings.PARSE_WALL_SECONDS // share,
        result_bytes=MAX_RESULT_BYTES,
    )
