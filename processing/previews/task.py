"""What a sandboxed child is asked to draw: JSON in, files in its directory, JSON out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from documents.errors import CorruptError, EncryptedError, NotFoundError, UnsupportedError
from processing.extraction import libreoffice
from processing.extraction import media_types as types
from processing.previews import card, raster, sheet
from processing.previews.frame import SAMPLE, Frame
from processing.previews.placeholder import SIDE, placeholder

if TYPE_CHECKING:
    from processing.previews.raster import Image

PRINT_SECONDS = 60


def draw(path: str, name: str, media_type: str, words: dict[str, str]) -> dict[str, Any]:
    """Draw a thumbnail, of images a main version too, and tell how they look from afar.

    Raises CorruptError and TooComplexError for images; every other document gets a card at
    least. `name` is what the document is called: tests strike by it.
    """
    source = Path(path)
    image = None
    if media_type in types.IMAGES:
        # Decoded again for the thumbnail: a large JPEG is shrunk while it is decoded.
        image = raster.write(raster.from_file(source, media_type, raster.IMAGE_SIDE), "image")
        small = raster.from_file(source, media_type, raster.THUMBNAIL_SIDE)
    else:
        small = _first_page(source, media_type) or card.draw(card.Words(**words))
    small = small.copy_memory()
    return {
        "thumbnail": raster.write(small, "thumbnail").to_json(),
        "image": image and image.to_json(),
        "placeholder": placeholder(np.asarray(raster.shrunk(small, SIDE).numpy(), np.uint8)),
    }


def draw_page(path: str, name: str, media_type: str, number: int) -> dict[str, Any]:
    """Draw one page of a PDF or an image; raises NotFoundError beyond the last one.

    Raises EncryptedError, CorruptError and TooComplexError too. `name` is what the document is
    called: tests strike by it.
    """
    source = Path(path)
    if media_type == types.PDF:
        page = sheet.draw_large(source, number, raster.PAGE_SIDE)
    elif media_type == types.TIFF:
        page = raster.from_page(source, number, raster.PAGE_SIDE)
    elif number == 1:
        page = raster.from_file(source, media_type, raster.PAGE_SIDE)
    else:
        raise NotFoundError("The document has 1 page.")
    return {"page": raster.write(page, "page").to_json()}


def sample(path: str, name: str, media_type: str, frame: dict[str, int]) -> dict[str, Any]:
    """Leave an image as bytes of RGB in this frame; raises CorruptError and TooComplexError."""
    image = raster.from_file(Path(path), media_type, raster.IMAGE_SIDE)
    try:
        pixels = raster.framed(image, Frame(**frame))
    except raster.vips().Error as error:
        # Rows are decoded while they are copied.
        raise CorruptError("The image is damaged and cannot be shown.", cause=str(error)) from error
    Path(SAMPLE).write_bytes(pixels.tobytes())
    return {}


def warm_up() -> None:
    """Load what draws, so that children forked later have it."""
    raster.vips()


def warm_up_pages() -> None:
    """Load what draws pages, and no more."""
    sheet.warm_up()
    warm_up()


def _printed(source: Path, media_type: str) -> Path | None:
    return libreoffice.converted(source, media_type, "pdf", Path.cwd(), seconds=PRINT_SECONDS)


def _first_page(source: Path, media_type: str) -> "Image | None":
    pdf = source if media_type == types.PDF else _printed(source, media_type)
    if pdf is None:
        return None
    try:
        return sheet.draw(pdf, 1, raster.THUMBNAIL_SIDE)
    except (CorruptError, EncryptedError, NotFoundError, UnsupportedError):
        # Its text was read; what cannot be drawn has its card.
        return None
