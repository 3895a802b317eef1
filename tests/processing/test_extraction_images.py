"""Images are measured before they are decoded, turned as they were held, and read."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from documents.errors import CorruptError, TooComplexError
from processing.extraction import detect, heif, media_types
from processing.extraction.pictures import look_at, raster_of
from processing.extraction.readings import Wanted, recognise_pages
from tests.processing import scan_samples as samples
from tests.processing.extraction_samples import read, write
from tests.processing.heic_samples import Turn, heic

TESSERACT = Wanted("tesseract", ("eng",), seconds=600)
CORPUS = Path(os.environ.get("SLUICE_CORPUS", "/nonexistent")) / "good" / "img"
SENTENCE = "The heron waits beside the lighthouse."
MAKE, MODEL, ORIENTATION, DESCRIPTION, TAKEN = 0x010F, 0x0110, 0x0112, 0x010E, 0x9003
EXIF_IFD, GPS_IFD = 0x8769, 0x8825


def text_of(path: Path, *numbers: int) -> str:
    media_type = detect(path, path.name)
    found = recognise_pages(path, media_type, numbers or (1,), TESSERACT)
    return "\n".join(page.text for page in found.pages.values())


def photo(path: Path, picture: Image.Image, exif: Image.Exif) -> Path:
    picture.save(path, "JPEG", quality=92, exif=exif)
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "bmp"])
def test_every_kind_of_image_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    samples.page_image(SENTENCE).save(path)

    extraction = read(path)

    assert (extraction.metadata["width"], extraction.metadata["height"]) == ("1167", "828")
    assert extraction.unread == (1,)
    assert "heron waits beside" in text_of(path)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="SLUICE_CORPUS names no folder of documents")
def test_an_image_of_a_telephone_is_read() -> None:
    assert "Abomination" in text_of(CORPUS / "DA-1p.heic")


def test_a_photograph_of_a_telephone_is_put_together_from_its_tiles(tmp_path: Path) -> None:
    path = write(tmp_path / "a.heic", heic(samples.page_image(SENTENCE), tile=512))

    assert detect(path, path.name) == media_types.HEIC
    assert read(path).unread == (1,)
    assert "heron waits beside" in text_of(path)


@pytest.mark.parametrize("turn", [Turn(1), Turn(2), Turn(3), Turn(0, mirrored=True)])
def test_a_photograph_of_a_telephone_is_turned_once(tmp_path: Path, turn: Turn) -> None:
    upright = samples.page_image(SENTENCE).convert("L")
    mirrored = upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if turn.mirrored else upright
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored = heic(mirrored.rotate(-90 * turn.quarters, expand=True), turn=turn, exif=exif)

    path = write(tmp_path / "a.heic", stored)
    picture, raster = look_at(path, media_types.HEIC), raster_of(path, media_types.HEIC)

    assert (picture.width, picture.height) == upright.size
    found = Image.frombytes("L", (raster.width, raster.height), raster.pixels)
    assert difference(found, upright.resize(found.size)) < 0.05


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return how much two pictures differ in the mean, 0 to 1."""
    return float(ImageStat.Stat(ImageChops.difference(one, other)).mean[0]) / 255


def test_a_photograph_of_a_telephone_says_when_it_was_taken_but_not_where(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[MAKE], exif[MODEL], exif[ORIENTATION] = "Apple", "iPhone 15", 6
    exif.get_ifd(EXIF_IFD)[TAKEN] = "2024:05:01 10:30:15"
    exif.get_ifd(GPS_IFD)[2] = (53.0, 33.0, 1.0)
    path = write(tmp_path / "a.heic", heic(samples.photograph(), turn=Turn(3), exif=exif))

    extraction = read(path)

    assert extraction.metadata == {
        "width": "480",
        "height": "640",
        "taken": "2024-05-01 10:30",
        "camera": "Apple iPhone 15",
        "text": "none",
    }


def test_a_photograph_of_a_telephone_of_too_many_pixels_is_refused_before_it_is_decoded(
    tmp_path: Path,
) -> None:
    # There are pixels for a thousandth of it: who decodes first finds it damaged.
    stored = heic(samples.photograph(size=(32, 32)), tile=32, claimed=(20_000, 20_000))
    path = write(tmp_path / "a.heic", stored)

    for refused in (lambda: read(path), lambda: raster_of(path, media_types.HEIC)):
        with pytest.raises(TooComplexError, match="20,000 × 20,000 pixels, 400 megapixels"):
            refused()


def test_half_a_photograph_of_a_telephone_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = heic(samples.page_image(SENTENCE))

    path = write(tmp_path / "a.heic", whole[: len(whole) // 2])

    assert "heron waits beside" in text_of(path)


def test_a_photograph_of_a_telephone_that_breaks_off_in_its_head_is_damaged(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.heic", heic(samples.photograph())[:200])

    for damaged in (lambda: read(path), lambda: raster_of(path, media_types.HEIC)):
        with pytest.raises(CorruptError):
            damaged()


def test_pixels_of_a_telephone_outlive_the_photograph_they_were_read_from(tmp_path: Path) -> None:
    first = write(tmp_path / "a.heic", heic(Image.new("L", (512, 512), 40)))
    other = write(tmp_path / "b.heic", heic(Image.new("L", (512, 512), 200)))

    shown, again = heif.decode(first), heif.decode(other)

    assert max(shown.values) < 60
    assert min(again.values) > 180


def test_an_image_is_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    lying = samples.page_image(SENTENCE).rotate(90, expand=True)
    path = photo(tmp_path / "a.jpg", lying, exif)

    picture = look_at(path, media_types.JPEG)

    assert (picture.width, picture.height) == (1167, 828)
    assert "heron waits beside" in text_of(path)


def test_an_image_says_when_and_with_what_it_was_taken_but_not_where(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[MAKE], exif[MODEL], exif[DESCRIPTION] = "Canon", "Canon EOS 5D", "The old harbour"
    exif.get_ifd(EXIF_IFD)[TAKEN] = "2024:05:01 10:30:15"
    exif.get_ifd(GPS_IFD)[2] = (53.0, 33.0, 1.0)
    path = photo(tmp_path / "a.jpg", samples.photograph(), exif)

    extraction = read(path)

    assert extraction.title == "The old harbour"
    assert extraction.metadata == {
        "width": "640",
        "height": "480",
        "taken": "2024-05-01 10:30",
        "camera": "Canon EOS 5D",
        "text": "none",
    }


def test_a_clock_that_was_never_set_says_nothing(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[DESCRIPTION] = "OLYMPUS DIGITAL CAMERA"
    exif.get_ifd(EXIF_IFD)[TAKEN] = "0000:00:00 00:00:00"

    extraction = read(photo(tmp_path / "a.jpg", samples.photograph(), exif))

    assert "taken" not in extraction.metadata
    assert extraction.title == ""


def test_each_page_of_a_fax_is_a_page(tmp_path: Path) -> None:
    pages = [samples.page_image(f"{word} page of the fax.") for word in ("First", "Second")]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])

    extraction = read(tmp_path / "a.tiff")

    assert extraction.unread == (1, 2)
    assert "Second page" in text_of(tmp_path / "a.tiff", 2)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.png", samples.huge_png(100_000))
    monkeypatch.setattr("processing.extraction.pictures._grey", _must_not_be_called)

    for refused in (lambda: read(path), lambda: raster_of(path, media_types.PNG)):
        with pytest.raises(TooComplexError) as caught:
            refused()
        assert caught.value.detail == (
            "The image is 100,000 × 100,000 pixels, 10,000 megapixels; the limit is 250."
        )


def test_a_bitmap_of_too_many_pixels_is_refused_too(tmp_path: Path) -> None:
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "BMP")
    data = bytearray(small.getvalue())
    data[18:26] = (60_000).to_bytes(4, "little") * 2

    with pytest.raises(TooComplexError, match="60,000 × 60,000"):
        read(write(tmp_path / "a.bmp", bytes(data)))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "bmp"])
def test_an_image_without_its_head_is_damaged(tmp_path: Path, suffix: str) -> None:
    whole = io.BytesIO()
    samples.photograph().save(whole, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
    path = write(tmp_path / f"a.{suffix}", whole.getvalue()[:20])
    kinds = {"jpg": media_types.JPEG, "tiff": media_types.TIFF}

    with pytest.raises(CorruptError):
        look_at(path, kinds.get(suffix, f"image/{suffix}"))


def test_half_an_image_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = io.BytesIO()
    samples.page_image(SENTENCE).save(whole, "JPEG", quality=92)
    path = write(tmp_path / "a.jpg", whole.getvalue()[: len(whole.getvalue()) * 9 // 10])

    assert "heron waits beside" in text_of(path)


def test_a_transparent_image_is_read_on_white(tmp_path: Path) -> None:
    page = samples.page_image(SENTENCE)
    ink = page.convert("L").point(lambda grey: 255 - grey)
    clear = Image.new("RGBA", page.size, (0, 0, 0, 0))
    clear.putalpha(ink)
    clear.save(tmp_path / "a.png")

    assert "heron waits beside" in text_of(tmp_path / "a.png")


def _must_not_be_called(image: object) -> None:
    raise AssertionError("the image was decoded")
