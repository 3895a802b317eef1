"""Have the pages of a document recognised that only show their text.

A few pages at a time, each time in a child of its own: between them a lost lease is noticed
and the time looked at, and a page that kills its reader takes no other along. A long scan
steps aside after each OCR_SLICE_SECONDS, and goes on with the pages that are missing when
its turn comes again. What is not recognised never fails a document; its notice says so.
"""

import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import structlog
from django.conf import settings

from documents.errors import (
    CorruptError,
    CrashedError,
    ParseTimeoutError,
    TooComplexError,
    UnsupportedError,
)
from documents.models import Document
from processing import reading
from processing.extraction import Extraction, Page
from processing.extraction.limits import check_characters
from processing.extraction.readings import Readings
from processing.extraction.recognition.engines import OFF
from processing.extraction.scans import better_text
from processing.scan_slices import Scan
from processing.stage import Aside, Held

log = structlog.get_logger(__name__)

# While others wait, a long scan has a third of a worker's thread.
REST_PER_TURN = 2


def read(path: Path, document: Document, held: Held) -> Extraction | Aside:
    """Read a document, its unread pages as far as they can be; or step aside with what is read."""
    extraction = None
    scan = Scan.begun(document)
    if scan is None:
        extraction = reading.read(path, document, held)
        if not extraction.unread:
            return extraction
        scan = Scan.of(extraction.unread)
    seconds_before = scan.seconds
    refusal = _recognise(path, document, scan, held)
    if scan.goes_on and not refusal:
        return Aside(scan.keep, rest_seconds=REST_PER_TURN * (scan.seconds - seconds_before))
    # Between the first turn and the last nothing is parsed: thousands of pages of text may
    # stand beside the scanned ones.
    extraction = extraction or reading.read(path, document, held)
    if refusal:
        return _noted(extraction, f"{_pages(extraction)} not read{refusal}")
    return _noted(_with(extraction, scan.found), _notice(extraction, scan.found))


def _recognise(path: Path, document: Document, scan: Scan, held: Held) -> str:
    """Recognise pages until none is left or the turn is over; return why none can be, if so."""
    if settings.OCR_ENGINE == OFF:
        return ": text recognition is off here."
    started = time.monotonic()
    seconds = min(settings.OCR_SLICE_SECONDS, settings.OCR_MAX_SECONDS - scan.seconds)
    try:
        while scan.unread and (left := started + seconds - time.monotonic()) > 0:
            held.check()
            _try_some(path, document, scan, left, held)
    except UnsupportedError as error:
        return f". {error.detail}"
    scan.seconds += time.monotonic() - started
    return ""


def _try_some(path: Path, document: Document, scan: Scan, seconds: float, held: Held) -> None:
    """Recognise pages in one child; if one of them ends it, each is to have a child of its own."""
    numbers = scan.unread[0]
    try:
        readings = reading.recognise(path, document, numbers, seconds, held, scan.first_words)
    except (CorruptError, CrashedError, TooComplexError) as error:
        held.check()
        if not _is_of_the_page(error):
            raise
        log.warning("pages_not_recognised", document_id=str(document.id), error=error.detail)
        if len(numbers) > 1:
            scan.separate()
            return
        readings = Readings(failed=tuple(numbers))
    scan.take(readings)


def _is_of_the_page(error: CorruptError | CrashedError | TooComplexError) -> bool:
    """Whether the page is to blame: a sandbox that is gone says nothing about it."""
    return not isinstance(error, CrashedError) or (
        isinstance(error, ParseTimeoutError) or "signal" in error.details
    )


def _with(extraction: Extraction, readings: Readings) -> Extraction:
    pages = tuple(
        Page(page.number, better_text(page.text, readings.pages[page.number].text))
        if page.number in readings.pages
        else page
        for page in extraction.pages
    )
    check_characters(sum(len(page.text) for page in pages))
    metadata = dict(extraction.metadata)
    if any(page.text for page in pages):
        metadata.pop("text", None)
    if written := [page for page in readings.pages.values() if page.text]:
        metadata["recognised_by"] = readings.engine
        metadata["recognised_pages"] = str(len(written))
        metadata["confidence"] = f"{fmean(page.confidence for page in written):.2f}"
    language = extraction.language or readings.language
    return replace(extraction, pages=pages, metadata=metadata, language=language)


def _noted(extraction: Extraction, notice: str) -> Extraction:
    metadata = extraction.metadata | ({"notice": notice} if notice else {})
    return replace(extraction, metadata=metadata)


def _notice(extraction: Extraction, readings: Readings) -> str:
    """Return what a person should know about pages that were not read; empty if all were."""
    unread = len(extraction.unread)
    if len(readings.pages) == unread:
        return ""
    reasons = []
    if unread > settings.OCR_MAX_PAGES:
        reasons.append(f"the limit is {settings.OCR_MAX_PAGES:,}")
    if readings.failed:
        reasons.append(f"{len(readings.failed):,} could not be read")
    tried = len(readings.pages) + len(readings.failed)
    if tried < min(unread, settings.OCR_MAX_PAGES):
        reasons.append(f"the {settings.OCR_MAX_SECONDS:,} seconds for it were over")
    return (
        f"Text was recognised on {len(readings.pages):,} of {unread:,} scanned pages:"
        f" {'; '.join(reasons)}. The others are not searchable."
    )


def _pages(extraction: Extraction) -> str:
    n = len(extraction.unread)
    return "A page that only shows its text was" if n == 1 else f"{n:,} scanned pages were"
