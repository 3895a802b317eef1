"""Draw pages of PDF documents, with pdfium."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from documents.errors import CorruptError, NotFoundError
from processing.extraction.readers.pdf import opened
from processing.previews import raster

if TYPE_CHECKING:
    from processing.previews.raster import Image

# Drawn larger and shrunk: thin lines and small letters stay visible.
_OVERSAMPLING = 2
_WHITE = (255, 255, 255, 255)


def draw(path: Path, number: int, side: int) -> "Image":
    """Return a page, small: `side` pixels long or wide; numbers begin at 1.

    Raises NotFoundError beyond the last page, EncryptedError and CorruptError.
    """
    return raster.shrunk(raster.from_pixels(_rendered(path, number, _OVERSAMPLING * side)), side)


def draw_large(path: Path, number: int, side: int) -> "Image":
    """Return a page as large as it is to be read; raises what `draw` raises.

    As pdfium gives it, smooth and in sRGB: shrinking and managing its colours would take three
    quarters of the time.
    """
    return raster.from_pixels(_rendered(path, number, side)[:side, :side])


def _rendered(path: Path, number: int, side: int) -> NDArray[np.uint8]:
    """Return the pixels of a page, `side` of them long or wide, give or take one."""
    from pypdfium2 import PdfiumError

    with opened(path) as document:
        if not 1 <= number <= len(document):
            raise NotFoundError(f"The document has {len(document)} pages.")
        try:
            page = document[number - 1]
            # By what is to come out, whatever size the page claims to have.
            scale = side / max(*page.get_size(), 1)
            bitmap = page.render(scale=scale, fill_color=_WHITE, rev_byteorder=True)
            # A copy: the pixels are the document's, which is closed now.
            pixels: NDArray[np.uint8] = bitmap.to_numpy()[:, :, :3].copy()
        except (PdfiumError, ValueError) as error:
            raise CorruptError("The page is damaged and cannot be shown.") from error
        return pixels


def warm_up() -> None:
    """Load pdfium."""
    import pypdfium2 as pypdfium2
