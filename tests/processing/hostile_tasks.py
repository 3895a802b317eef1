"""What a child does with a hostile document: what a worker has it do, and how much that took."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from documents.errors import SluiceError
from processing.extraction import detect, extract, is_supported, media_types, pictures
from processing.extraction.entries import Allowed
from processing.extraction.members import list_members
from processing.extraction.readers import pdf
from processing.previews import is_pictured, task

READ, UNPACKED, DRAWN, SEEN = "read", "unpacked", "drawn", "seen"
ALLOWED = Allowed(entries=20_000, total_bytes=4 * 1024**3, member_bytes=500 * 1024**2, ratio=200)


def read(path: str, name: str) -> dict[str, Any]:
    """Say what the document is, then read it, or list what is in it."""
    return _measured(lambda: _read(Path(path), name))


def draw(path: str, name: str) -> dict[str, Any]:
    """Draw the pictures of the document."""
    return _measured(lambda: _draw(Path(path), name))


def look(path: str, name: str) -> dict[str, Any]:
    """Make the picture of the first page that would be recognised."""
    return _measured(lambda: _look(Path(path), name))


def _read(path: Path, name: str) -> str:
    media_type = detect(path, name)
    if media_type in media_types.ARCHIVES:
        list_members(path, media_type, ALLOWED, name)
        return UNPACKED
    extract(path, media_type, name)
    return READ


def _draw(path: Path, name: str) -> str:
    media_type = detect(path, name)
    assert is_supported(media_type)
    words = {"title": name, "text": "", "label": "TXT"}
    task.draw(str(path), name, media_type if is_pictured(media_type) else "", words)
    return DRAWN


def _look(path: Path, name: str) -> str:
    media_type = detect(path, name)
    if media_type == media_types.PDF:
        with pdf.opened(path) as document:
            pdf.look_of(document, 1)
    else:
        pictures.raster_of(path, media_type)
    return SEEN


def _measured(work: Callable[[], str]) -> dict[str, Any]:
    before, started = _resident_bytes(), time.process_time()
    try:
        end, detail = work(), ""
    except SluiceError as error:
        end, detail = error.code, error.detail
    return {
        "end": end,
        "detail": detail,
        "seconds": time.process_time() - started,
        "peak_bytes": _resident_bytes() - before,
    }


def _resident_bytes() -> int:
    """Return the most memory that this process has had, what it was forked with included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines)
    return int(told["VmHWM"].split()[0]) * 1024
