"""Scans, photographs and images go through the pipeline, and are found."""

import io
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from pytest_django import Settings

from documents.errors import LeaseLostError
from documents.models import Batch, Document
from documents.states import Status
from processing import leases, reading
from processing.models import Chunk, PageText, StageAttempt, StageName
from processing.pipeline import REQUIRED, following
from processing.search import search
from processing.stage import Aside, Held, Lease, Result, Stage
from tests.factories import make_batch
from tests.processing import scan_samples as samples
from tests.processing.heic_samples import heic
from tests.processing.lifecycle import adorn, arrived, claim, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm", "provider")]

NUMERALS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen", "twenty"),
)


def taken_in(batch: Batch, content: bytes, path: str) -> Document:
    """Return a document that went through every stage."""
    document = arrived(batch, content, path)
    for stage in REQUIRED:
        lease, result = run(document, stage)
        while isinstance(result, Aside):
            leases.step_aside(lease, result)
            lease, result = run(document, stage)
        assert callable(result), result
        leases.finish(lease, result, following(stage.name))
    adorn(document)
    return fresh(document)


def run(document: Document, stage: Stage) -> tuple[Lease, Result]:
    lease = claim(document, stage.name)
    ((_, result),) = list(stage.run([Held(lease)]))
    return lease, result


def scan(tmp_path: Path, pages: Sequence[str | Image.Image]) -> bytes:
    return samples.make_scan(tmp_path / "scan.pdf", pages).read_bytes()


def jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def found(user: Any, words: str) -> list[tuple[str, int]]:
    return [(hit.path, hit.page) for hit in search(user, words, mode="keyword").hits]


def texts(document: Document) -> list[str]:
    pages = PageText.objects.filter(document=document).order_by("number")
    return list(pages.values_list("text", flat=True))


def test_a_long_scan_is_found_by_a_word_of_its_seventeenth_page(
    user: Any, batch: Batch, tmp_path: Path
) -> None:
    pages = [f"This is page {name} of the logbook." for name in NUMERALS]

    document = taken_in(batch, scan(tmp_path, pages), "logs/scan.pdf")

    assert (document.status, document.pages) == (Status.READY, 20)
    assert found(user, "seventeen") == [("logs/scan.pdf", 17)]
    assert document.metadata["recognised_pages"] == "20"
    assert "notice" not in document.metadata


def test_a_scan_in_many_turns_is_read_like_one_at_once(
    batch: Batch, tmp_path: Path, settings: Settings
) -> None:
    content = scan(tmp_path, [f"This is page {name} of the logbook." for name in NUMERALS[:5]])
    at_once = taken_in(batch, content, "logs/scan.pdf")

    # Shorter than any page takes: each turn is one.
    settings.OCR_SLICE_SECONDS = 0.01
    in_turns = taken_in(make_batch(), content, "logs/scan.pdf")

    assert outcomes(at_once) == ["ok"]
    assert outcomes(in_turns) == [*["aside"] * (len(outcomes(in_turns)) - 1), "ok"]
    assert len(outcomes(in_turns)) >= 5
    assert texts(in_turns) == texts(at_once)
    for told in ("status", "metadata", "language", "title", "pages"):
        assert getattr(in_turns, told) == getattr(at_once, told), told


def outcomes(document: Document) -> list[str]:
    attempts = StageAttempt.objects.filter(run__document=document, run__stage=StageName.EXTRACT)
    return list(attempts.values_list("outcome", flat=True))


def test_only_the_pages_without_text_are_recognised(
    user: Any, batch: Batch, tmp_path: Path
) -> None:
    content = scan(tmp_path, ["=typed", "A heron on a scanned page.", "=typed again"])

    document = taken_in(batch, content, "mixed.pdf")

    assert texts(document) == ["typed", "A heron on a scanned page.", "typed again"]
    assert document.metadata["recognised_pages"] == "1"
    assert found(user, "heron") == [("mixed.pdf", 2)]


def test_a_photograph_without_text_is_ready_and_found_by_its_name(user: Any, batch: Batch) -> None:
    content = jpeg(samples.photograph())

    document = taken_in(batch, content, "Holidays/Norway/IMG_2041-greyHeron.jpg")

    assert (document.status, texts(document)) == (Status.READY, [""])
    for words in ("heron", "norway", "2041", "IMG_2041-greyHeron.jpg"):
        assert found(user, words) == [("Holidays/Norway/IMG_2041-greyHeron.jpg", 1)]


def test_an_image_with_text_is_found_by_both(user: Any, batch: Batch) -> None:
    content = jpeg(samples.page_image("The ferry leaves at noon."))

    taken_in(batch, content, "boards/timetable.jpg")

    assert found(user, "ferry") == [("boards/timetable.jpg", 1)]
    assert found(user, "timetable") == [("boards/timetable.jpg", 1)]


def test_a_photograph_of_a_telephone_with_text_is_found_by_both(user: Any, batch: Batch) -> None:
    content = heic(samples.page_image("The ferry leaves at noon."))

    taken_in(batch, content, "boards/timetable.heic")

    assert found(user, "ferry") == [("boards/timetable.heic", 1)]
    assert found(user, "timetable") == [("boards/timetable.heic", 1)]


def test_a_scan_without_text_is_ready_and_found_by_its_name(
    user: Any, batch: Batch, tmp_path: Path
) -> None:
    document = taken_in(batch, scan(tmp_path, [samples.photograph()]), "plans/orchard.pdf")

    assert document.status == Status.READY
    assert found(user, "orchard") == [("plans/orchard.pdf", 1)]


def test_a_document_of_text_has_no_description_beside_it(batch: Batch, tmp_path: Path) -> None:
    document = taken_in(batch, scan(tmp_path, ["=typed"]), "typed.pdf")

    assert list(Chunk.objects.filter(document=document).values_list("text", flat=True)) == ["typed"]


def test_pages_over_the_limit_are_told_and_the_rest_is_searched(
    user: Any, batch: Batch, tmp_path: Path, settings: Settings
) -> None:
    settings.OCR_MAX_PAGES = 2
    content = scan(tmp_path, ["Herons.", "Eels.", "Otters.", "=typed"])

    document = taken_in(batch, content, "scan.pdf")

    assert document.status == Status.READY
    assert texts(document) == ["Herons.", "Eels.", "", "typed"]
    assert document.metadata["notice"] == (
        "Text was recognised on 2 of 3 scanned pages: the limit is 2. The others are not"
        " searchable."
    )


@pytest.mark.parametrize("engine", ["off", "rapidocr"])
def test_the_engine_is_chosen_by_a_setting(
    user: Any, batch: Batch, tmp_path: Path, settings: Settings, engine: str
) -> None:
    settings.OCR_ENGINE = engine

    document = taken_in(batch, scan(tmp_path, ["The herons stay here."]), "a heron.pdf")

    told = document.metadata
    assert told.get("recognised_by", "off") == engine
    assert texts(document) == (["The herons stay here."] if engine == "rapidocr" else [""])
    notice = "A page that only shows its text was not read: text recognition is off here."
    assert told.get("notice") == (notice if engine == "off" else None)
    assert document.status == Status.READY


def test_a_cancel_ends_the_engine_within_two_seconds(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = arrived(batch, scan(tmp_path, [samples.PROSE] * 8), "long.pdf")
    held = Held(claim(document, StageName.VERIFY))
    document.content_type = "application/pdf"
    ended: list[BaseException] = []

    def work() -> None:
        try:
            reading.recognise(tmp_path / "scan.pdf", document, range(1, 9), 600, held)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: bool(engines()))
    started = time.monotonic()
    held.lose(LeaseLostError("It was cancelled."))
    thread.join(20)

    assert time.monotonic() - started < 2
    assert [type(error) for error in ended] == [LeaseLostError]
    wait_for(lambda: not engines())


def engines() -> list[psutil.Process]:
    """Return the running engines of this process's sandbox."""
    below = psutil.Process().children(recursive=True)
    return [one for one in below if one.is_running() and "tesseract" in name_of(one)]


def name_of(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def wait_for(claim: Any) -> None:
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
