"""Pages of documents as they look: drawn for who asks first, and shown to the others."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from rest_framework.test import APIClient

from documents.models import Batch, Document, PageImage
from documents.states import Status
from processing.extraction import media_types as types
from processing.previews import raster
from tests.factories import make_user
from tests.processing import page_pictures
from tests.processing.extraction_samples import make_docx
from tests.processing.lifecycle import arrived, verify
from tests.processing.page_pictures import (
    address,
    kept,
    key_in,
    opened,
    pdf,
    refused,
    shelved,
)
from tests.processing.test_preview_stage import served
from tests.processing.test_previews import BLUE, RED, looks

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedding", "root")]
drawn = page_pictures.drawn


def test_a_page_of_a_pdf_is_shown_as_it_looks(batch: Batch, api: APIClient, tmp_path: Path) -> None:
    document = shelved(batch, pdf(tmp_path, "one", "", "three"))

    key = key_in(api.get(address(document, 2)))

    image = opened(key)
    assert (image.format, image.height) == ("WEBP", raster.PAGE_SIDE)
    assert 1270 <= image.width <= 1290
    # The one page with a black square, low on the left.
    assert looks(image, (0.3, 0.75), (0, 0, 0))
    assert looks(image, (0.9, 0.1), (255, 255, 255))


def test_it_is_shown_in_place_for_good_and_can_do_nothing(
    batch: Batch, api: APIClient, drawn: list[int]
) -> None:
    document = shelved(batch, b"%PDF")

    answer = api.get(address(document, 3))

    assert answer["Cache-Control"] == "private, max-age=300"
    assert {"Cookie", "Authorization"} <= set(answer["Vary"].split(", "))
    headers = dict(served(answer["Location"]))
    assert headers[b"content-type"] == b"image/webp"
    assert headers[b"content-disposition"] == (
        b"inline; filename=\"page-3.webp\"; filename*=UTF-8''page-3.webp"
    )
    assert headers[b"etag"].startswith(b'"')
    assert headers[b"cache-control"] == b"private, max-age=31536000, immutable"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-security-policy"].startswith(b"sandbox;")


def test_who_asks_after_the_first_has_nothing_drawn(
    batch: Batch, api: APIClient, drawn: list[int]
) -> None:
    document = shelved(batch, b"%PDF")

    keys = [key_in(api.get(address(document, number))) for number in (1, 2, 1, 2, 1)]

    assert drawn == [1, 2]
    assert sorted(set(keys)) == kept()


def test_a_duplicate_shows_the_pages_of_its_original(
    batch: Batch, api: APIClient, drawn: list[int]
) -> None:
    original = shelved(batch, b"%PDF")
    copy = arrived(batch, b"%PDF", "folder/b.pdf")
    verify(copy, b"%PDF")

    keys = {key_in(api.get(address(each, 1))) for each in (original, copy)}

    assert (len(keys), drawn) == (1, [1])


def test_pages_of_a_tiff_are_shown_each(batch: Batch, api: APIClient, tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (300, 200), colour) for colour in (RED, BLUE))
    red.save(tmp_path / "made.tiff", save_all=True, append_images=[blue])
    content = (tmp_path / "made.tiff").read_bytes()
    document = shelved(batch, content, media_type=types.TIFF, pages=2)

    first, second = (opened(key_in(api.get(address(document, n)))) for n in (1, 2))

    assert first.size == second.size == (300, 200)
    assert looks(first, (0.5, 0.5), RED)
    assert looks(second, (0.5, 0.5), BLUE)


def test_an_image_is_its_one_page_and_not_drawn_again(
    batch: Batch, api: APIClient, drawn: list[int]
) -> None:
    document = shelved(batch, b"an image", media_type=types.JPEG, pages=1)
    Document.objects.filter(id=document.id).update(image_width=640, image_height=480)

    key = key_in(api.get(address(document, 1)))

    assert (key.rpartition("/")[2], drawn) == ("image-1.webp", [])
    assert "from 1 to 1" in refused(api.get(address(document, 2)))


def test_an_image_without_its_main_version_is_drawn(
    batch: Batch, api: APIClient, tmp_path: Path
) -> None:
    stream = BytesIO()
    Image.new("RGB", (64, 48), "#c81414").save(stream, "PNG")
    document = shelved(batch, stream.getvalue(), media_type=types.PNG, pages=None)

    assert opened(key_in(api.get(address(document, 1)))).size == (64, 48)
    assert refused(api.get(address(document, 2))) == "The document has 1 page."


@pytest.mark.parametrize("number", [0, 4, 10**30, "one", "-1", "1.5", "%00"])
def test_a_page_that_there_is_not_is_not_found(
    batch: Batch, api: APIClient, drawn: list[int], number: object
) -> None:
    document = shelved(batch, b"%PDF")

    answer = api.get(address(document, number))

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (drawn, PageImage.objects.count()) == ([], 0)


def test_a_page_beyond_the_last_of_a_pdf_that_nobody_counted_is_not_found(
    batch: Batch, api: APIClient, tmp_path: Path
) -> None:
    document = shelved(batch, pdf(tmp_path, "one"), pages=None)

    assert refused(api.get(address(document, 2))) == "The document has 1 pages."
    assert key_in(api.get(address(document, 1)))


def test_what_has_no_pages_says_so(
    batch: Batch, api: APIClient, drawn: list[int], tmp_path: Path
) -> None:
    word = shelved(
        batch, make_docx(tmp_path / "a.docx").read_bytes(), media_type=types.DOCX, path="a.docx"
    )
    cancelled = shelved(batch, b"%PDF")
    Document.objects.filter(id=cancelled.id).update(status=Status.CANCELLED)

    assert "Only pages of PDF documents" in refused(api.get(address(word, 1)))
    assert "not stored" in refused(api.get(address(cancelled, 1)))
    assert drawn == []


def test_a_stranger_gets_what_they_get_of_what_is_not_there(batch: Batch, drawn: list[int]) -> None:
    document = shelved(batch, b"%PDF")
    stranger = APIClient()
    stranger.force_authenticate(make_user())

    assert refused(stranger.get(address(document, 1))) == "There is no such document."
    assert APIClient().get(address(document, 1)).status_code == 401
    assert drawn == []
