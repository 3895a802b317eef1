"""The worker's side of the sandbox: what may run there, on what, within which limits."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from documents.errors import CorruptError
from documents.models import Document
from processing.extraction import Extraction
from processing.extraction import is_supported as is_supported
from processing.extraction.entries import Allowed
from processing.extraction.members import Contents
from processing.sandbox import JSON, Answered, Limits, Sandbox, Wear
from processing.stage import Held

DETECT = "processing.extraction.task:detect_type"
# Text of a document as JSON; a thousand novels fit.
MAX_RESULT_BYTES = 128 * 1024**2
READ = "processing.extraction.task:read"
# Unpacking holds a block at a time, and what a decompressor looks back on.
ARCHIVE_MEMORY_BYTES = 512 * 1024**2
# An archive is read as often as a small library is.
ARCHIVE_TIMES = 4

LIST = "processing.extraction.task:list_members"
UNPACK = "processing.extraction.task:unpack"

sandbox = Sandbox(
    tasks=[DETECT, READ, LIST, UNPACK],
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


def list_members(path: Path, document: Document, allowed: Allowed, held: Held) -> Contents:
    """Return what is in the archive whose bytes are at `path`, having inflated all of it once."""
    arguments: dict[str, JSON] = {
        "path": str(path),
        "media_type": document.content_type,
        "allowed": asdict(allowed),
    }
    return Contents.from_json(_run(LIST, arguments, held, _limits_of_archive(held, allowed)))


@contextmanager
def unpacked(
    path: Path, document: Document, sizes: Mapping[int, int], allowed: Allowed, held: Held
) -> Iterator[Path]:
    """Give a directory with some members of an archive, each named by its number.

    `sizes` are theirs by their numbers. Open them with `open_left`.
    """
    arguments: dict[str, JSON] = {
        "path": str(path),
        "media_type": document.content_type,
        "wanted": {str(number): size for number, size in sizes.items()},
        "allowed": asdict(allowed),
    }
    with _running(UNPACK, arguments, held, _limits_of_archive(held, allowed)) as answered:
        yield answered.directory


def start_sandbox() -> None:
    """Have the sandbox warm before the first document comes."""
    sandbox.start()


def close_sandbox() -> None:
    """End every child and the server they come from."""
    sandbox.close()


def _run(
    task: str, arguments: dict[str, JSON], held: Held, limits: Limits | None = None
) -> dict[str, Any]:
    with _running(task, arguments, held, limits or _limits(held)) as answered:
        answer = answered.value
    if not isinstance(answer, dict):
        raise CorruptError("The document could not be read.", answer=type(answer).__name__)
    return answer


@contextmanager
def _running(
    task: str, arguments: dict[str, JSON], held: Held, limits: Limits
) -> Iterator[Answered]:
    with ExitStack() as stack:
        try:
            call = sandbox.run_for_files(
                task,
                arguments=arguments,
                limits=limits,
                on_start=lambda call: held.attach(call.kill),
            )
            answered = stack.enter_context(call)
        finally:
            held.detach()
        yield answered


def _limits(held: Held) -> Limits:
    """Return the limits of a child; half of them for what crashed before."""
    share = 2 if held.lease.crashes else 1
    return Limits(
        memory_bytes=settings.PARSE_MEMORY_BYTES // share,
        cpu_seconds=settings.PARSE_CPU_SECONDS // share,
        wall_seconds=settings.PARSE_WALL_SECONDS // share,
        result_bytes=MAX_RESULT_BYTES,
    )


def _limits_of_archive(held: Held, allowed: Allowed) -> Limits:
    """Return the limits of unpacking: more time, for all the documents inside, and less memory."""
    usual = _limits(held)
    return replace(
        usual,
        memory_bytes=min(usual.memory_bytes, ARCHIVE_MEMORY_BYTES),
        cpu_seconds=usual.cpu_seconds * ARCHIVE_TIMES,
        wall_seconds=usual.wall_seconds * ARCHIVE_TIMES,
        # One byte more, so that a member that outgrows its size is told as what it is.
        file_bytes=allowed.member_bytes + 1,
    )
