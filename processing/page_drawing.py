"""Have a page drawn in a sandbox of the web process's own, for somebody who waits for it.

Not in a worker: during a large import its threads are at documents that take minutes, and
whoever opens a hit wants the page now. The server starts with the first page somebody looks
at, and has nothing loaded but what draws. Children are few at once: they take the processor
from nobody for long.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from documents.models import Document
from processing import drawing
from processing.drawing import Picture
from processing.sandbox import JSON, Limits, Sandbox, Wear

DRAW_PAGE = "processing.previews.task:draw_page"
# Most pages take a fifth of a second, and dense drawings more; somebody waits for it.
CPU_SECONDS = 20
WALL_SECONDS = 30
MAX_FILE_BYTES = 64 * 1024**2
MAX_ANSWER_BYTES = 64 * 1024

sandbox = Sandbox(
    tasks=[DRAW_PAGE],
    preload="processing.previews.task:warm_up_pages",
    wear=Wear(settings.SANDBOX_MAX_CALLS, settings.SANDBOX_MAX_RSS_BYTES),
)
_turns = threading.BoundedSemaphore(settings.PAGE_DRAWERS)


@contextmanager
def turn(seconds: float) -> Iterator[bool]:
    """Wait for a turn to draw; give whether it came within so many seconds."""
    is_ours = _turns.acquire(timeout=max(seconds, 0))
    try:
        yield is_ours
    finally:
        if is_ours:
            _turns.release()


def draw(path: Path, document: Document, number: int) -> Picture:
    """Return the picture of a page of the document whose bytes are at `path`."""
    arguments: dict[str, JSON] = {
        "path": str(path),
        "name": document.name,
        "media_type": document.content_type,
        "number": number,
    }
    call = sandbox.run_for_files(DRAW_PAGE, arguments=arguments, limits=_limits())
    with call as answered, drawing.checked():
        told: Any = answered.value
        return drawing.picture(answered.directory, told["page"])


def _limits() -> Limits:
    """Return the limits of a child: as much memory as for a thumbnail, and less time."""
    return Limits(
        memory_bytes=settings.PARSE_MEMORY_BYTES,
        cpu_seconds=CPU_SECONDS,
        wall_seconds=WALL_SECONDS,
        file_bytes=MAX_FILE_BYTES,
        result_bytes=MAX_ANSWER_BYTES,
    )
