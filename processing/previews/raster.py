"""Turn images into small upright WebP, of which nothing but the pixels is kept."""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from documents.errors import CorruptError, NotFoundError, TooComplexError
from processing.extraction import heif
from processing.extraction import media_types as types
from processing.previews.frame import Frame

if TYPE_CHECKING:
    from pyvips import Image as Image

THUMBNAIL_SIDE = 320
IMAGE_SIDE = 2048
# A page of A4 or Letter is then 1,280 pixels wide: small print is read on a screen of twice the
# usual resolution, in about 150 KB.
PAGE_SIDE = 1810
# The largest sensors and scans have 200 million; a decoded row of them is all that is held.
MAX_PIXELS = 250_000_000
# Formats that are decoded whole before a row can be given: four bytes a pixel.
MAX_PIXELS_IN_MEMORY = 100_000_000
_WHOLE = ("gif", "webp")
_QUALITY = 80
# Of 0 to 6, for what is large: a third of the usual time for a few percent more bytes.
_EFFORT, _EFFORT_LARGE = 4, 2
_WHITE = 255
_COLOURS = 3
# What may be decoded at all: the formats that are taken in, by libraries made for untrusted bytes.
# Reading a HEIC asks its loader what the camera said; no pixels, which it cannot decode.
_LOADERS = ("Jpeg", "Png", "Webp", "Tiff", "Nsgif", "Heif")


@dataclass(frozen=True, slots=True)
class Drawn:
    """An image that was written into the working directory under this name."""

    name: str
    size_bytes: int
    width: int
    height: int

    def to_json(self) -> dict[str, Any]:
        """Return the same in plain JSON types."""
        return asdict(self)


@cache
def vips() -> Any:
    """Return the library, able to decode these formats and no other."""
    import pyvips

    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in _LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)
    # A child draws one document; what it has drawn is asked for once.
    pyvips.cache_set_max(0)
    return pyvips


def from_file(path: Path, media_type: str, side: int) -> "Image":
    """Return the first image of a document, upright, at most `side` pixels long and wide.

    Raises TooComplexError before a pixel is decoded if there are too many, and CorruptError.
    """
    # libvips, as it is packaged, decodes neither.
    if media_type == types.BMP:
        return shrunk(_bitmap(path), side)
    if media_type == types.HEIC:
        return shrunk(_photograph(path), side)
    library = vips()
    try:
        header = library.Image.new_from_file(str(path), access="sequential")
        _check_pixels(header)
        small = library.Image.thumbnail(
            str(path), side, height=side, size="down", output_profile="srgb"
        )
        return _flat(small)
    except library.Error as error:
        raise CorruptError("The image is damaged and cannot be shown.", cause=str(error)) from error


def from_page(path: Path, number: int, side: int) -> "Image":
    """Return a page of a TIFF, upright, at most `side` pixels long and wide; numbers begin at 1.

    Raises NotFoundError beyond the last page, TooComplexError and CorruptError.
    """
    library = vips()
    try:
        header = library.Image.new_from_file(str(path), access="sequential")
        count = header.get("n-pages") if header.get_typeof("n-pages") else 1
        if not 1 <= number <= count:
            raise NotFoundError(f"The document has {count} pages.")
        page = library.Image.new_from_file(str(path), access="sequential", page=number - 1)
        _check_pixels(page)
        return shrunk(page, side)
    except library.Error as error:
        raise CorruptError("The image is damaged and cannot be shown.", cause=str(error)) from error


def from_pixels(pixels: NDArray[np.uint8]) -> "Image":
    """Return an image of (height, width, 3) bytes of RGB."""
    return vips().Image.new_from_array(np.ascontiguousarray(pixels), interpretation="srgb")


def shrunk(image: "Image", side: int) -> "Image":
    """Return the image, at most `side` pixels long and wide."""
    return _flat(image.thumbnail_image(side, height=side, size="down", output_profile="srgb"))


def framed(image: "Image", frame: Frame) -> NDArray[np.uint8]:
    """Return the pixels of the image as the frame asks for them: (height, width, 3)."""
    if frame.shorter_side:
        scale = frame.shorter_side / min(image.width, image.height)
        across = down = scale
    else:
        across, down = frame.width / image.width, frame.height / image.height
    # Nothing is computed before it is asked for, so a long thin image is never enlarged whole.
    sized = image.copy_memory().resize(across, vscale=down, kernel="cubic")
    left, top = (sized.width - frame.width) // 2, (sized.height - frame.height) // 2
    return np.asarray(sized.crop(left, top, frame.width, frame.height).numpy(), np.uint8)


def write(image: "Image", name: str) -> Drawn:
    """Write WebP without metadata (a photograph may know where it was taken)."""
    target = Path(f"{name}.webp")
    is_small = max(image.width, image.height) <= THUMBNAIL_SIDE
    effort = _EFFORT if is_small else _EFFORT_LARGE
    try:
        image.webpsave(str(target), Q=_QUALITY, effort=effort, keep="none")
    except vips().Error as error:
        # Rows are decoded while they are written.
        raise CorruptError("The image is damaged and cannot be shown.", cause=str(error)) from error
    return Drawn(target.name, target.stat().st_size, image.width, image.height)


def check_size(width: int, height: int, *, whole: bool) -> None:
    """Raise TooComplexError for more pixels than are decoded."""
    most = MAX_PIXELS_IN_MEMORY if whole else MAX_PIXELS
    if width * height > most:
        raise TooComplexError(
            f"The image has {width:,} × {height:,} pixels; the limit is {most:,} in all."
        )


def _check_pixels(header: "Image") -> None:
    fields = header.get_fields()
    loader = str(header.get("vips-loader"))
    whole = "interlaced" in fields or any(name in loader for name in _WHOLE)
    check_size(header.width, header.height, whole=whole)


def _flat(image: "Image") -> "Image":
    """Return the image in three bands of bytes, transparent parts white."""
    if image.hasalpha():
        image = image.flatten(background=_WHITE)
    if image.interpretation != "srgb":
        image = image.colourspace("srgb")
    return image.cast("uchar")


def _bitmap(path: Path) -> "Image":
    from PIL import Image

    try:
        with Image.open(path, formats=["BMP"]) as image:
            check_size(image.width, image.height, whole=True)
            return from_pixels(np.asarray(image.convert("RGB"), np.uint8))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise CorruptError("The image is damaged and cannot be shown.", cause=str(error)) from error


def _photograph(path: Path) -> "Image":
    """Return a HEIC, upright as libheif gives it, in the colours that it names."""
    shown = heif.decode(path)
    size = shown.width, shown.height
    pixels = vips().Image.new_from_memory(shown.values, *size, shown.bands, "uchar")
    pixels = pixels.copy(interpretation="b-w" if shown.bands < _COLOURS else "srgb")
    if shown.profile:
        pixels.set_type(vips().GValue.blob_type, "icc-profile-data", shown.profile)
    return pixels
