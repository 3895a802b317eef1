"""Pages that cannot be drawn, or not now, are refused with one sentence."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F
from pytest_django import Settings
from reportlab.pdfgen.canvas import Canvas
from rest_framework.test import APIClient

from documents.errors import CrashedError, StorageError
from documents.models import Batch, Document, PageImage
from documents.services import page_images
from processing import page_drawing
from processing import page_images as showing
from processing.drawing import Picture
from processing.previews import raster
from tests.processing import page_pictures
from tests.processing.page_pictures import (
    WEBP,
    address,
    kept,
    key_in,
    opened,
    pdf,
    refused,
    shelved,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedding", "root")]
drawn = page_pictures.drawn


def huge(tmp_path: Path) -> bytes:
    """Return a PDF whose page says that it is a million points wide."""
    canvas = Canvas(str(tmp_path / "huge.pdf"), pagesize=(1_000_000, 500))
    canvas.rect(0, 0, 500_000, 500, fill=1)
    canvas.showPage()
    canvas.save()
    return (tmp_path / "huge.pdf").read_bytes()


def test_a_page_of_a_million_points_is_drawn_no_larger_than_others(
    batch: Batch, api: APIClient, tmp_path: Path
) -> None:
    document = shelved(batch, huge(tmp_path), pages=1)

    image = opened(key_in(api.get(address(document, 1))))

    assert max(image.size) <= raster.PAGE_SIDE


NO_PAGES = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj
trailer<</Root 1 0 R>>
%%EOF"""


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: pdf(folder, "secret", password="letmein"), "protected by a password"),
        (lambda _: b"%PDF-1.7 and no more", "damaged"),
        (lambda _: NO_PAGES, "damaged|has 0 pages"),
    ],
    ids=["encrypted", "broken", "without pages"],
)
def test_what_cannot_be_drawn_says_why_each_time(
    batch: Batch,
    api: APIClient,
    tmp_path: Path,
    make: Callable[[Path], bytes],
    reason: str,
) -> None:
    document = shelved(batch, make(tmp_path), pages=1)

    first, second = (refused(api.get(address(document, 1))) for _ in range(2))

    assert first == second
    assert any(words in first for words in reason.split("|"))
    assert kept() == []


def breaks(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    """Have drawing fail like this; return the numbers of pages that were tried."""
    tried: list[int] = []

    def draw(path: Path, document: Document, number: int) -> Picture:
        tried.append(number)
        raise error

    monkeypatch.setattr(page_drawing, "draw", draw)
    return tried


def test_a_page_that_kills_its_reader_is_left_alone_for_a_while(
    batch: Batch, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = shelved(batch, b"%PDF")
    tried = breaks(monkeypatch, CrashedError("Reading the document crashed (SIGSEGV)."))

    reasons = {refused(api.get(address(document, 1))) for _ in range(3)}
    assert (reasons, tried) == ({"Reading the document crashed (SIGSEGV)."}, [1])
    PageImage.objects.update(taken_until=F("taken_until") - timedelta(seconds=601))
    refused(api.get(address(document, 1)))

    assert tried == [1, 1]


def test_after_an_outage_of_storage_the_page_is_drawn(
    batch: Batch, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = shelved(batch, b"%PDF")
    with monkeypatch.context() as broken:
        breaks(broken, StorageError("Storage is away."))
        away = api.get(address(document, 1))
    monkeypatch.setattr(page_drawing, "draw", lambda *_: Picture(WEBP, 1280, 1810))

    assert (away.status_code, away["Retry-After"]) == (503, "5")
    assert [key_in(api.get(address(document, 1)))] == kept()


def test_who_waits_too_long_is_told_when_to_come_back(
    batch: Batch, api: APIClient, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = shelved(batch, b"%PDF")
    monkeypatch.setattr(showing, "WAIT_SECONDS", 0.2)
    # Somebody draws it, in another process.
    page_images.claim(document, 1)

    answer = api.get(address(document, 1))

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limit")
    assert (answer["Retry-After"], drawn) == ("2", [])


def test_while_every_turn_is_taken_nobody_draws(
    batch: Batch,
    api: APIClient,
    drawn: list[int],
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    document = shelved(batch, b"%PDF")
    monkeypatch.setattr(showing, "WAIT_SECONDS", 0.2)

    with page_drawing.turn(0), page_drawing.turn(0):
        answer = api.get(address(document, 1))
    after = api.get(address(document, 1))

    assert settings.PAGE_DRAWERS == 2
    assert (answer.status_code, drawn) == (429, [1])
    assert key_in(after)
