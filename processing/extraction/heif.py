"""Decode HEIC, the photographs of telephones, whether stored in tiles or in one piece.

The one door to pi-heif, whose libheif decodes HEVC; that of the libvips from a wheel does
not, and takes a picture that is turned for one that is not. The container says how a
picture is turned, and libheif turns it: what EXIF says of that is to be left alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from documents.errors import CorruptError
from processing.extraction.limits import check_pixels

if TYPE_CHECKING:
    from pi_heif import HeifFile


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded picture, row by row: `bands` bytes a pixel, 1 for grey, 4 with transparency."""

    width: int
    height: int
    bands: int
    values: bytes
    # What its colours mean (ICC), or nothing where it names none by a profile.
    profile: bytes


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height as the picture is shown; nothing is decoded.

    Raises TooComplexError for too many pixels, CorruptError when the head is damaged.
    """
    with _opened(path) as picture:
        width, height = picture.size
        return width, height


def decode(path: Path) -> Pixels:
    """Return the main picture as it is shown; raises what `size_of` raises, before decoding."""
    with _opened(path) as picture:
        # What libheif gives is a view into memory that goes with the picture. And the size is
        # only what the head said until the values are there.
        values = bytes(picture.data)
        width, height = picture.size
        profile = picture.info.get("icc_profile") or b""
        return Pixels(width, height, len(picture.mode), values, profile)


@contextmanager
def _opened(path: Path) -> Iterator["HeifFile"]:
    import pi_heif

    # Each child has one core. Depth, thumbnails and the like are for other programs.
    pi_heif.options.DECODE_THREADS = 1
    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
    data = path.read_bytes()
    try:
        picture = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
        check_pixels(*picture.size)
        yield picture
    except (ValueError, EOFError, SyntaxError, RuntimeError, IndexError) as exc:
        raise CorruptError("The image is damaged or stored in a way that is not read.") from exc
