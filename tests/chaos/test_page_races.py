"""However many look at a page at the same time, it is drawn once."""

import threading
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from documents.models import Document, PageImage
from documents.services import page_images
from documents.states import Status
from documents.storage import get_storage
from processing import page_drawing
from processing.drawing import Picture
from processing.page_images import picture_of
from tests.chaos.racing import InThread, at_once, wipe
from tests.factories import make_document

pytestmark = pytest.mark.django_db(transaction=True)
N_READERS = 6
PATIENCE_SECONDS = 20


@pytest.fixture
def document(settings: Settings, tmp_path: Path) -> Document:
    wipe()
    settings.STORAGE_ROOT = tmp_path / "storage"
    get_storage().put("stored/a", b"%PDF", "application/pdf")
    return make_document(
        status=Status.READY,
        pages=9,
        stored_key="stored/a",
        sha256="ab" * 32,
        content_type="application/pdf",
    )


def test_many_at_once_have_a_page_drawn_once(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    drawn: list[int] = []

    def draw(path: Path, document: Document, number: int) -> Picture:
        drawn.append(number)
        begun.set()
        assert may_end.wait(PATIENCE_SECONDS)
        return Picture(b"RIFF....WEBP", 1, 1)

    monkeypatch.setattr(page_drawing, "draw", draw)
    first = InThread(lambda: picture_of(document, 4))
    assert begun.wait(PATIENCE_SECONDS)
    others = [InThread(lambda: picture_of(document, 4)) for _ in range(N_READERS)]
    may_end.set()

    keys = {reader.finish() for reader in (first, *others)}

    assert (len(keys), drawn) == (1, [4])
    assert PageImage.objects.get().key in keys


def test_of_many_who_claim_a_page_one_gets_it(document: Document) -> None:
    claims = at_once(*[lambda: page_images.claim(document, 2) for _ in range(N_READERS)])

    assert sum(claim is not None for claim in claims) == 1
    assert PageImage.objects.count() == 1


def test_no_connection_is_held_while_a_page_is_drawn(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    def draw(path: Path, document: Document, number: int) -> Picture:
        held.append(connection.connection is not None)
        return Picture(b"RIFF....WEBP", 1, 1)

    monkeypatch.setattr(page_drawing, "draw", draw)

    InThread(lambda: picture_of(document, 1)).finish()

    assert held == [False]
