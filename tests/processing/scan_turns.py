"""What the trials of long scans share."""

from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings

from documents.errors import (
    CrashedError,
    ParseTimeoutError,
    SluiceError,
)
from documents.models import Batch, Document
from processing import leases, reading, recognition, turns
from processing.models import Chunk, PageText, StageAttempt, StageName, StageRun
from processing.pipeline import following, get_stage
from processing.stage import Aside, Held, Lease, Result
from tests.processing.lifecycle import arrived, claim, fresh, verify
from tests.processing.scan_engine import PAGE_SECONDS, PAGES, PAGES_A_TURN, Engine
from tests.processing.search_library import CompassEmbedder

EXTRACT = get_stage(StageName.EXTRACT)
BELLS = turns.Bells(ring=lambda stage: None, ring_quarantine=lambda: None)


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Engine:
    """What is done in the sandbox, and the provider: both faked at the edge."""
    engine = Engine()
    monkeypatch.setattr(reading, "read", engine.read)
    monkeypatch.setattr(reading, "recognise", engine.recognise)
    monkeypatch.setattr(recognition, "time", SimpleNamespace(monotonic=lambda: engine.now))
    for module in ("processing.stages.extract", "processing.stages.embed"):
        monkeypatch.setattr(f"{module}.get_embedder", CompassEmbedder)
    settings.OCR_SLICE_SECONDS = PAGES_A_TURN * PAGE_SECONDS
    settings.OCR_MAX_SECONDS = 1_000 * PAGE_SECONDS
    return engine


def verified(batch: Batch, name: str) -> Document:
    """Return a document that is to be read next."""
    document = arrived(batch, name.encode(), name)
    verify(document, name.encode())
    return fresh(document)


def run(lease: Lease) -> Result:
    ((_, result),) = list(EXTRACT.run([Held(lease)]))
    return result


def take_turn(document: Document) -> Result:
    """Take the document's next turn, and keep what came of it."""
    lease = claim(document, StageName.EXTRACT)
    result = run(lease)
    if isinstance(result, Aside):
        leases.step_aside(lease, result)
    elif isinstance(result, SluiceError):
        leases.fail(lease, result)
    else:
        leases.finish(lease, result, following(StageName.EXTRACT))
    return result


def read_whole(document: Document) -> Document:
    for _ in range(2 * PAGES):
        if not isinstance(take_turn(document), (Aside, SluiceError)):
            return fresh(document)
    raise AssertionError("it goes on for ever")


def texts(document: Document) -> list[str]:
    pages = PageText.objects.filter(document=document, generation=document.generation)
    return list(pages.order_by("number").values_list("text", flat=True))


def told(document: Document) -> dict[str, Any]:
    """Return everything that reading the document came to."""
    chunks = Chunk.objects.filter(document=document).order_by("ordinal")
    return {
        "texts": texts(document),
        "chunks": list(chunks.values_list("page", "start", "end", "text")),
        "metadata": document.metadata,
        "language": document.language,
        "pages": document.pages,
    }


def the_run(document: Document) -> StageRun:
    return StageRun.objects.get(document=document, stage=StageName.EXTRACT)


def turns_taken() -> list[str]:
    """Return who was read, in the order in which they were claimed."""
    attempts = StageAttempt.objects.filter(run__stage=StageName.EXTRACT).order_by("id")
    return list(attempts.values_list("run__document__name", flat=True))


def work_through() -> None:
    """Do what one thread does until nothing required is ready."""
    while turns.work_on(StageName.EXTRACT, BELLS) or turns.work_on(StageName.EMBED, BELLS):
        pass


CRASH = CrashedError("Reading the document crashed (SIGSEGV).", signal="SIGSEGV")
HANGS = ParseTimeoutError("Reading the document takes more than 180 seconds.")
