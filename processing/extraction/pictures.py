"""What an image is, before it is decoded, and what it looks like, the right way up.

The one door to pyvips. Each format has its own loader, by what the bytes are: nothing is
handed to a library that guesses. libvips reads no BMP, which is Pillow's, and only says what
a HEIC says of itself.
"""

import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from documents.errors import CorruptError
from processing.extraction import heif
from processing.extraction import media_types as types
from processing.extraction.limits import check_pages, check_pixels
from processing.extraction.recognition.raster import Raster
from processing.extraction.text import clean

if TYPE_CHECKING:
    from pyvips import Image

# What is recognised need not be larger, and small print in small images is read when enlarged.
MAX_PIXELS = 9_000_000
_MIN_SIDE = 1_600
_MAX_ENLARGEMENT = 3.0
_LOADERS = {
    types.JPEG: "jpegload",
    types.PNG: "pngload",
    types.WEBP: "webpload",
    types.TIFF: "tiffload",
    types.GIF: "gifload",
    types.HEIC: "heifload",
}
# Orientations of EXIF that lie on their side.
_LYING = frozenset({5, 6, 7, 8})
_WHITE = 255
_COLOURS = 3
_OLD_BITMAP_HEAD = (12).to_bytes(4, "little")
_DAMAGED = "The image is damaged and cannot be read."
# libvips adds how the value was stored: "Canon (Canon, ASCII, 6 components, 6 bytes)".
_STORED_AS = re.compile(r" \(.*?, \w+, \d+ components?, \d+ bytes?\)$", re.DOTALL)
# Cameras fill in what nobody wrote.
_NO_TITLES = re.compile(r"^(.*digital camera.*|sony dsc|dcim|untitled.*|default)$", re.IGNORECASE)
_MAX_FACT = 200


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as it says of itself; width and height as it is shown, in pixels."""

    width: int
    height: int
    pages: int
    title: str
    taken: str
    camera: str


def look_at(path: Path, media_type: str) -> Picture:
    """Return what the head of an image says; nothing is decoded.

    The place where it was taken is left alone: nobody who shares a picture here expects to
    tell it. Raises TooComplexError for an image of too many pixels or pages.
    """
    with _picture_errors():
        if media_type == types.BMP:
            width, height = _bitmap_size(path)
            check_pixels(width, height)
            return Picture(width, height, pages=1, title="", taken="", camera="")
        turned = heif.size_of(path) if media_type == types.HEIC else None
        image = _open(path, media_type)
        pages = _number(image, "n-pages", 1) if media_type == types.TIFF else 1
        check_pages(pages)
        width, height = turned or _size(image)
        return Picture(width, height, pages, _title(image), _taken(image), _camera(image))


def raster_of(path: Path, media_type: str, page: int = 1) -> Raster:
    """Return a page of an image in grey, the right way up, in a size that can be read."""
    with _picture_errors():
        if media_type == types.BMP:
            image = _bitmap(path)
        elif media_type == types.HEIC:
            shown = heif.decode(path)
            image = _of_values(shown.values, shown.width, shown.height, bands=shown.bands)
        else:
            image = _open(path, media_type, page)
            check_pixels(image.width, image.height)
        grey = _grey(_sized(image))
        return Raster(grey.width, grey.height, bytes(grey.write_to_memory()))


@contextmanager
def _picture_errors() -> Iterator[None]:
    import pyvips

    try:
        yield
    except pyvips.Error as exc:
        raise CorruptError(_DAMAGED) from exc


def _open(path: Path, media_type: str, page: int = 1) -> "Image":
    import pyvips

    options: dict[str, Any] = {"access": "sequential"}
    if media_type == types.TIFF:
        options["page"] = page - 1
    # Half an image is better than none; what is missing is grey.
    load = getattr(pyvips.Image, _LOADERS[media_type])
    image: Image = load(str(path), fail_on="none", **options)
    return image


def _size(image: "Image") -> tuple[int, int]:
    check_pixels(image.width, image.height)
    is_lying = _number(image, "orientation", 1) in _LYING
    return (image.height, image.width) if is_lying else (image.width, image.height)


def _sized(image: "Image") -> "Image":
    """Turn an image as its camera was held, and fit it to what is read best."""
    longer = max(image.width, image.height)
    scale = min(math.sqrt(MAX_PIXELS / (image.width * image.height)), 1.0)
    if longer < _MIN_SIDE:
        scale = min(_MIN_SIDE / longer, _MAX_ENLARGEMENT)
    # The box is square, so that it does not matter how the camera was held.
    side = max(round(longer * scale), 1)
    sized: Image = image.thumbnail_image(side, height=side, size="both")
    return sized


def _grey(image: "Image") -> "Image":
    if image.hasalpha():
        image = image.flatten(background=_WHITE)
    grey: Image = image.colourspace("b-w").extract_band(0).cast("uchar")
    return grey


def _bitmap(path: Path) -> "Image":
    from PIL import Image as Pillow

    check_pixels(*_bitmap_size(path))
    try:
        with Pillow.open(path, formats=["BMP"]) as opened:
            grey = opened.convert("L")
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as exc:
        if isinstance(exc, OSError) and exc.errno:
            # The machine's, not the image's.
            raise
        raise CorruptError(_DAMAGED) from exc
    return _of_values(grey.tobytes(), grey.width, grey.height, bands=1)


def _of_values(values: bytes, width: int, height: int, *, bands: int) -> "Image":
    import pyvips

    image = pyvips.Image.new_from_memory(values, width, height, bands=bands, format="uchar")
    # A fourth band is transparency only where it is said that three are colours.
    told: Image = image.copy(interpretation="b-w" if bands < _COLOURS else "srgb")
    return told


def _bitmap_size(path: Path) -> tuple[int, int]:
    """Return width and height out of either head that a BMP may have."""
    with path.open("rb") as stream:
        head = stream.read(26)
    is_old = head[14:18] == _OLD_BITMAP_HEAD
    try:
        width, height = struct.unpack_from("<HH" if is_old else "<ii", head, 18)
    except struct.error as exc:
        raise CorruptError(_DAMAGED) from exc
    # Upside down is what a negative height says.
    return abs(width), abs(height)


def _number(image: "Image", field: str, otherwise: int) -> int:
    return int(image.get(field)) if image.get_typeof(field) else otherwise


def _fact(image: "Image", field: str) -> str:
    if not image.get_typeof(field):
        return ""
    value = _STORED_AS.sub("", str(image.get(field)))
    return " ".join(clean(value).split())[:_MAX_FACT]


def _title(image: "Image") -> str:
    title = _fact(image, "exif-ifd0-ImageDescription") or _fact(image, "png-comment-0-Title")
    return "" if _NO_TITLES.match(title) else title


def _taken(image: "Image") -> str:
    """Return when, as the camera's clock said: "2024-05-01 10:30"."""
    told = _fact(image, "exif-ifd2-DateTimeOriginal")[:16]
    try:
        # A camera does not say its zone, and nothing is converted.
        taken = datetime.strptime(told, "%Y:%m:%d %H:%M").replace(tzinfo=UTC)
    except ValueError:
        # A clock that was never set says 0000:00:00.
        return ""
    return f"{taken:%Y-%m-%d %H:%M}"


def _camera(image: "Image") -> str:
    maker, model = _fact(image, "exif-ifd0-Make"), _fact(image, "exif-ifd0-Model")
    # Most models begin with their maker.
    return model if maker.split(" ")[0].lower() in model.lower() else f"{maker} {model}".strip()
