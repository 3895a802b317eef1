"""Small pictures of documents: upright, small, without a trace of where they were taken."""

import os
import struct
import time
import zlib
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from config.processes import find
from documents.errors import CorruptError, TooComplexError
from processing.extraction import media_types as types
from processing.extraction.libreoffice import converted
from processing.previews import is_pictured, task
from processing.previews.placeholder import hash_of
from processing.reading import DRAW, sandbox
from processing.sandbox import JSON, Limits
from tests.stack import wait_until

RED, BLUE = (200, 20, 20), (20, 20, 200)
WORDS = {"title": "Minutes", "text": "The gate was opened.\nIt rained.", "label": "TXT"}
# The hash of a picture that is red on the left and blue on the right.
HALVES = "94b602ac9c5a1b1f88888887888a8f88f88888"
SIDEWAYS = 6
ORIENTATION, GPS = 0x0112, 0x8825
CORPUS = Path(os.environ.get("SLUICE_CORPUS", "/nonexistent"))
FORMATS = {
    types.JPEG: "JPEG",
    types.PNG: "PNG",
    types.WEBP: "WEBP",
    types.TIFF: "TIFF",
    types.GIF: "GIF",
    types.BMP: "BMP",
}
# What can say of itself which side is up.
WITH_EXIF = {types.JPEG, types.PNG, types.WEBP, types.TIFF}


def has_ended(pid: int) -> bool:
    return find(pid) is None


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory as a child has one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def photograph(media_type: str, size: tuple[int, int] = (600, 400)) -> Path:
    """Return a picture, red above and blue below, whose camera lay on its side and knew where."""
    width, height = size
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, width, height // 2))
    options: dict[str, Any] = {}
    if media_type in WITH_EXIF:
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[ORIENTATION] = SIDEWAYS
        exif.get_ifd(GPS)[2] = (49.0, 11.0, 6.0)
        # As bytes: of an Exif that was never read, TIFF leaves the place out.
        options["exif"] = exif.tobytes()
    path = Path("original")
    picture.save(path, FORMATS[media_type], **options)
    return path


def draw(path: Path | str, media_type: str, words: dict[str, str] = WORDS) -> dict[str, Any]:
    return task.draw(str(path), "a document", media_type, words)


def opened(told: dict[str, Any]) -> Image.Image:
    """Return a picture that was drawn, which is as large as was told."""
    path = Path(told["name"])
    image = Image.open(path)
    image.load()
    assert (image.format, image.size) == ("WEBP", (told["width"], told["height"]))
    assert path.stat().st_size == told["size_bytes"]
    return image


def looks(image: Image.Image, place: tuple[float, float], colour: tuple[int, int, int]) -> bool:
    x, y = int(place[0] * image.width), int(place[1] * image.height)
    seen = np.asarray(image.convert("RGB"))[y, x].astype(int)
    return bool(np.abs(seen - colour).max() < 40)


@pytest.mark.parametrize("media_type", FORMATS)
def test_a_picture_stands_upright_in_both_sizes(media_type: str) -> None:
    drawn = draw(photograph(media_type, (600, 400)), media_type)

    thumbnail, image = opened(drawn["thumbnail"]), opened(drawn["image"])
    assert (thumbnail.size, image.size) == ((320, 213), (600, 400))
    for picture in (thumbnail, image):
        assert looks(picture, (0.5, 0.2), RED)
        assert looks(picture, (0.5, 0.8), BLUE)


@pytest.mark.parametrize("media_type", sorted(WITH_EXIF))
def test_nothing_but_the_pixels_is_kept(media_type: str) -> None:
    path = photograph(media_type)
    assert GPS in Image.open(path).getexif()

    drawn = draw(path, media_type)

    for told in (drawn["thumbnail"], drawn["image"]):
        assert not opened(told).getexif()
        content = Path(told["name"]).read_bytes()
        assert not any(chunk in content for chunk in (b"EXIF", b"Exif", b"XMP ", b"ICCP"))


def test_the_main_version_is_as_large_as_a_screen() -> None:
    image = draw(photograph(types.JPEG, (2400, 1200)), types.JPEG)["image"]

    assert (image["width"], image["height"]) == (2048, 1024)


def test_a_small_picture_is_not_enlarged() -> None:
    drawn = draw(photograph(types.PNG, (60, 40)), types.PNG)

    assert (drawn["thumbnail"]["width"], drawn["thumbnail"]["height"]) == (60, 40)


def test_transparent_parts_are_white() -> None:
    Image.new("RGBA", (400, 400), (0, 0, 0, 0)).save("clear", "PNG")

    drawn = draw("clear", types.PNG)

    assert looks(opened(drawn["thumbnail"]), (0.5, 0.5), (255, 255, 255))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="SLUICE_CORPUS names no folder of documents")
def test_a_heic_taken_sideways_stands_upright() -> None:
    # Its pixels lie on their side, and the box that turns them says so.
    path = CORPUS / "good" / "img" / "DA-1p.heic"
    assert b"irot" in path.read_bytes()
    upright = draw(CORPUS / "good" / "img" / "DA-1p.png", types.PNG)
    expected = np.asarray(opened(upright["thumbnail"]).convert("L"), int)

    drawn = draw(path, types.HEIC)

    seen = np.asarray(opened(drawn["thumbnail"]).convert("L"), int)
    assert seen.shape == expected.shape
    assert np.abs(seen - expected).mean() < 4


def bomb(width: int, height: int) -> Path:
    """Return a PNG of a few hundred bytes that claims so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path = Path("bomb")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body)
    return path


@pytest.mark.parametrize("size", [(60_000, 60_000), (20_000, 15_000)])
def test_a_pixel_bomb_is_refused_without_memory(size: tuple[int, int]) -> None:
    path = bomb(*size)
    before = psutil.Process().memory_info().rss

    with pytest.raises(TooComplexError, match="pixels; the limit is"):
        draw(path, types.PNG)

    assert psutil.Process().memory_info().rss - before < 50 * 1024**2


def test_what_is_cut_off_or_no_picture_is_refused() -> None:
    whole = photograph(types.JPEG).read_bytes()
    Path("cut").write_bytes(whole[:200])
    Path("svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')

    for name in ("cut", "svg"):
        with pytest.raises(CorruptError, match="cannot be shown"):
            draw(name, types.JPEG)


def pdf(pages: int = 2) -> Path:
    path = Path("original.pdf")
    canvas = Canvas(str(path), pagesize=(400, 640))
    for _ in range(pages):
        canvas.setFillColorRGB(200 / 255, 20 / 255, 20 / 255)
        canvas.rect(0, 320, 400, 320, stroke=0, fill=1)
        canvas.showPage()
    canvas.save()
    return path


def test_a_pdf_shows_its_first_page() -> None:
    drawn = draw(pdf(), types.PDF)

    thumbnail = opened(drawn["thumbnail"])
    assert (thumbnail.size, drawn["image"]) == ((200, 320), None)
    assert looks(thumbnail, (0.5, 0.2), RED)
    assert looks(thumbnail, (0.5, 0.8), (255, 255, 255))


def test_a_pdf_that_cannot_be_drawn_has_a_card() -> None:
    Path("broken").write_bytes(b"%PDF-1.7 and no more")

    assert draw("broken", types.PDF)["thumbnail"]["height"] == 320


@pytest.mark.parametrize(
    "text", ["The gate was opened.", "水門は夜明けに開かれた。", "", "\u202e\x00"]
)
def test_every_document_has_a_card_at_least(text: str) -> None:
    drawn = draw("", "", {"title": text, "text": text, "label": "TXT"})

    card = opened(drawn["thumbnail"])
    assert card.size == (240, 320)
    # Something is written on it: its type, whatever else.
    assert np.asarray(card.convert("L")).min() < 180


@pytest.fixture
def soffice(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of this name on PATH, of which a test says what it does."""
    program = here / "bin" / "soffice"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def install(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_an_office_document_is_printed_where_libreoffice_is(soffice: Path) -> None:
    printed = pdf().rename("printed.pdf").absolute()
    Path("letter").write_bytes(b"PK")
    # --headless --norestore -env:… --convert-to pdf --outdir DIRECTORY DOCUMENT
    install(soffice, f'cp {printed} "$7/original.pdf"')

    drawn = draw("letter", types.DOCX)

    assert is_pictured(types.DOCX)
    assert looks(opened(drawn["thumbnail"]), (0.5, 0.2), RED)


def test_an_office_document_has_a_card_where_libreoffice_fails(soffice: Path) -> None:
    Path("letter").write_bytes(b"PK")
    install(soffice, "exit 0")

    assert opened(draw("letter", types.DOCX)["thumbnail"]).size == (240, 320)


def test_a_libreoffice_that_hangs_is_ended_with_all_it_started(soffice: Path) -> None:
    Path("letter").write_bytes(b"PK")
    install(soffice, "echo $$ > started; sleep 300 & echo $! >> started; wait")
    begun = time.monotonic()

    assert converted(Path("letter"), types.DOCX, "pdf", Path.cwd(), seconds=1) is None

    assert time.monotonic() - begun < 60
    for pid in Path("started").read_text().split():
        wait_until(partial(has_ended, int(pid)), f"{pid} has ended")


def test_a_placeholder_says_what_is_where_in_a_few_bytes() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, :50] = RED
    pixels[:, 50:] = BLUE

    found = hash_of(pixels)

    # tests/js/thumbhash.test.mjs draws the very same bytes.
    assert found.hex() == HALVES
    assert len(found) < 30


def test_the_sandbox_draws_within_its_limits(here: Path) -> None:
    path = photograph(types.JPEG, (2400, 1600)).absolute()
    arguments: dict[str, JSON] = {
        "path": str(path),
        "name": "a",
        "media_type": types.JPEG,
        "words": {**WORDS},
    }
    limits = Limits(memory_bytes=512 * 1024**2, file_bytes=16 * 1024**2)

    answer: Any = sandbox.run(DRAW, arguments=arguments, limits=limits)

    assert (answer["thumbnail"]["width"], answer["image"]["width"]) == (320, 2048)


def test_a_card_is_drawn_by_a_child_as_well(here: Path) -> None:
    arguments: dict[str, JSON] = {"path": "", "name": "a", "media_type": "", "words": {**WORDS}}

    with sandbox.run_for_files(DRAW, arguments=arguments) as answered:
        told: Any = answered.value
        content = (answered.directory / told["thumbnail"]["name"]).read_bytes()

    assert Image.open(BytesIO(content)).size == (240, 320)
