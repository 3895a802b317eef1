"""The worker's side of the sandbox: what may run there, on what, within which limits."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from documents.errors import CorruptError, CrashedError
from documents.models import Document
from processing.enrichment import Entity
from processing.extraction import Extraction, media_types
from processing.extraction import is_supported as is_supported
from processing.extraction.entries import Allowed
from processing.extraction.members import Contents
from processing.extraction.readings import Readings
from processing.previews.frame import SAMPLE, Frame
from processing.sandbox import JSON, Answered, Limits, Sandbox, Wear, open_left
from processing.stage import Held

DETECT = "processing.extraction.task:detect_type"
RECOGNISE = "processing.extraction.task:recognise"
# A page takes a second or two, with either engine ten at most; the machine may be busy.
PAGE_SECONDS = 60
PAGE_WALL_SECONDS = 150
# Text of a document as JSON; a thousand novels fit.
MAX_RESULT_BYTES = 128 * 1024**2
READ = "processing.extraction.task:read"
# Unpacking holds a block at a time, and what a decompressor looks back on.
ARCHIVE_MEMORY_BYTES = 512 * 1024**2
# An archive is read as often as a small library is.
ARCHIVE_TIMES = 4

DRAW = "processing.previews.task:draw"
# Small images, and the PDF that an Office document is printed to on the way.
MAX_DRAWN_BYTES = 256 * 1024**2
LOOK = "processing.previews.task:sample"
LIST = "processing.extraction.task:list_members"
UNPACK = "processing.extraction.task:unpack"
FIND = "processing.enrichment.task:find"

sandbox = Sandbox(
    tasks=[DETECT, READ, RECOGNISE, DRAW, LOOK, LIST, UNPACK, FIND],
    preload="processing.preload:warm_up",
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


def find_entities(
    pages: Iterable[tuple[int, str]], language: str, document: Document, held: Held
) -> list[Entity]:
    """Return what is mentioned in these numbered pages, in this language, of the document."""
    with tempfile.NamedTemporaryFile("w", prefix="sluice-pages-", suffix=".json") as written:
        json.dump(list(pages), written)
        written.flush()
        arguments: dict[str, JSON] = {
            "path": written.name,
            "language": language,
            "models": list(settings.ENTITY_MODEL),
            "name": document.name,
        }
        answer = _run(FIND, arguments, held)
    return [Entity.from_json(found) for found in answer["entities"]]


def recognise(
    path: Path,
    document: Document,
    numbers: Sequence[int],
    seconds: float,
    held: Held,
    before: Sequence[str] = (),
) -> Readings:
    """Return what is written on pages that only show it; none is begun after `seconds`.

    The language is told of what was read `before` and these pages together.
    """
    arguments: dict[str, JSON] = {
        "path": str(path),
        "media_type": document.content_type,
        "numbers": list(numbers),
        "engine": settings.OCR_ENGINE,
        "languages": settings.OCR_LANGUAGES,
        "seconds": seconds,
        "before": list(before),
    }
    limits = _limits_of_pages(held, len(numbers), seconds)
    return Readings.from_json(_run(RECOGNISE, arguments, held, limits))


def list_members(path: Path, document: Document, allowed: Allowed, held: Held) -> Contents:
    """Return what is in the archive or mail whose bytes are at `path`, all of it inflated once."""
    arguments: dict[str, JSON] = {
        "path": str(path),
        "name": document.name,
        "media_type": document.content_type,
        "allowed": asdict(allowed),
    }
    limits = _limits_of_archive(document, held, allowed)
    return Contents.from_json(_run(LIST, arguments, held, limits))


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
    limits = _limits_of_archive(document, held, allowed)
    with _running(UNPACK, arguments, held, limits) as answered:
        yield answered.directory


@contextmanager
def drawn(
    path: Path | None, document: Document, words: Mapping[str, str], held: Held
) -> Iterator[Answered]:
    """Give a directory with what `previews.task.draw` drew, and what it says of it.

    Without a path it draws what can be drawn from the words. Open them with `open_left`.
    """
    arguments: dict[str, JSON] = {
        "path": str(path or ""),
        "name": document.name,
        "media_type": document.content_type if path else "",
        "words": dict(words),
    }
    limits = replace(_limits(held), file_bytes=MAX_DRAWN_BYTES)
    with _running(DRAW, arguments, held, limits) as answered:
        yield answered


def sampled(path: Path, document: Document, frame: Frame, held: Held) -> bytes:
    """Return the image whose bytes are at `path`, as bytes of RGB in this frame."""
    arguments: dict[str, JSON] = {
        "path": str(path),
        "name": document.name,
        "media_type": document.content_type,
        "frame": asdict(frame),
    }
    with _running(LOOK, arguments, held, _limits(held)) as answered:
        try:
            with open_left(answered.directory / SAMPLE, frame.size_bytes) as stream:
                return stream.read()
        except OSError as error:
            raise CrashedError("Looking at it gave no usable answer.", cause=str(error)) from error


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


def _limits_of_pages(held: Held, n: int, seconds: float) -> Limits:
    """Return the limits of recognising n pages: more time for each, and all of the memory."""
    usual = _limits(held)
    return replace(
        usual,
        memory_bytes=settings.PARSE_MEMORY_BYTES,
        cpu_seconds=usual.cpu_seconds + n * PAGE_SECONDS,
        # The last page is begun before the time is over.
        wall_seconds=usual.wall_seconds + min(n * PAGE_WALL_SECONDS, seconds + PAGE_WALL_SECONDS),
    )


def _limits_of_archive(document: Document, held: Held, allowed: Allowed) -> Limits:
    """Return the limits of unpacking: more time, for all the documents inside, and less memory."""
    usual = _limits(held)
    # A mail is parsed as a whole, as it is to be read; an archive gives a block at a time.
    is_streamed = document.content_type in media_types.ARCHIVES - {media_types.CMS}
    most = ARCHIVE_MEMORY_BYTES if is_streamed else usual.memory_bytes
    return replace(
        usual,
        memory_bytes=min(usual.memory_bytes, most),
        cpu_seconds=usual.cpu_seconds * ARCHIVE_TIMES,
        wall_seconds=usual.wall_seconds * ARCHIVE_TIMES,
        # One byte more, so that a member that outgrows its size is told as what it is.
        file_bytes=allowed.member_bytes + 1,
    )
