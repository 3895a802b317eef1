"""Have the sandbox draw a document, and take over what it left: pictures and no more."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from documents.errors import CrashedError
from documents.models import Document
from processing import reading
from processing.previews.raster import IMAGE_SIDE
from processing.sandbox import open_left
from processing.stage import Held

MAX_PICTURE_BYTES = 32 * 1024**2
_PLACEHOLDER = re.compile(r"[A-Za-z0-9+/]{8,56}={0,2}")


@dataclass(frozen=True, slots=True)
class Picture:
    """A WebP that was drawn, whole."""

    content: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """What stands for a document: a thumbnail, of images the image, and both from afar."""

    thumbnail: Picture
    image: Picture | None
    placeholder: str


def draw(path: Path | None, document: Document, words: Mapping[str, str], held: Held) -> Drawing:
    """Return the pictures of the document whose bytes are at `path`; without it, of its words."""
    with reading.drawn(path, document, words, held) as answered, checked():
        told: Any = answered.value
        image = told["image"]
        placeholder = str(told["placeholder"])
        if not _PLACEHOLDER.fullmatch(placeholder):
            raise ValueError(placeholder[:100])
        return Drawing(
            thumbnail=picture(answered.directory, told["thumbnail"]),
            image=picture(answered.directory, image) if image else None,
            placeholder=placeholder,
        )


def picture(directory: Path, told: Mapping[str, Any]) -> Picture:
    """Take over one picture that a child says it wrote; ValueError unless it is what it says.

    The child read what a stranger wrote: it may have been made to say and to leave anything.
    """
    name, size, width, height = (told[key] for key in ("name", "size_bytes", "width", "height"))
    is_sane = all(isinstance(n, int) for n in (size, width, height)) and (
        0 < size <= MAX_PICTURE_BYTES and 0 < width <= IMAGE_SIDE and 0 < height <= IMAGE_SIDE
    )
    if not is_sane or not re.fullmatch(r"[a-z]+\.webp", str(name)):
        raise ValueError(f"{name}: {size} bytes, {width} × {height}")
    with open_left(directory / str(name), size) as stream:
        content = stream.read()
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise ValueError(f"{name} is no WebP")
    return Picture(content, width, height)


@contextmanager
def checked() -> Iterator[None]:
    """Have an answer that makes no sense count as a crash of who gave it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise CrashedError(
            "Drawing the document gave no usable answer.", cause=str(error)
        ) from error
