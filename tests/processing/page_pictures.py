"""What the trials of page images share."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks

from documents.models import Batch, Document
from documents.storage import get_storage
from processing import page_drawing
from processing.drawing import Picture
from processing.extraction import media_types as types
from tests.processing.extraction_samples import make_pdf
from tests.processing.lifecycle import fresh, ready

Commit = DjangoCaptureOnCommitCallbacks
# What stands for a picture where nobody looks at it.
WEBP = b"RIFF....WEBP"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of pages that are drawn, in place of which the same bytes are given."""
    numbers: list[int] = []

    def draw(path: Path, document: Document, number: int) -> Picture:
        numbers.append(number)
        return Picture(WEBP, 1280, 1810)

    monkeypatch.setattr(page_drawing, "draw", draw)
    return numbers


def shelved(
    batch: Batch,
    content: bytes,
    *,
    media_type: str = types.PDF,
    pages: int | None = 3,
    path: str = "folder/report.pdf",
) -> Document:
    """Return a document that went through every stage, said to be of this type and length."""
    document = ready(batch, content, path=path)
    Document.objects.filter(id=document.id).update(content_type=media_type, pages=pages)
    return fresh(document)


def pdf(tmp_path: Path, *texts: str, password: str = "") -> bytes:
    return make_pdf(tmp_path / "made.pdf", texts, password=password).read_bytes()


def address(document: Document, number: object) -> str:
    return f"/api/v1/documents/{document.id}/pages/{number}"


def key_in(answer: Any) -> str:
    """Return the key of the object that an answer leads to."""
    assert answer.status_code == 302, answer.content
    return str(answer["Location"]).removeprefix("/storage/").partition("?")[0]


def opened(key: str) -> Image.Image:
    with get_storage().open(key) as stream:
        image = Image.open(BytesIO(stream.read()))
    image.load()
    return image


def kept() -> list[str]:
    """Return the keys of all pictures of pages in the store."""
    return sorted(key for key, _ in get_storage().list("derived/") if "/page-" in key)


def refused(answer: Any) -> str:
    """Return why there is no picture."""
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), answer.content
    return str(answer.json()["detail"])
