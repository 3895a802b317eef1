"""Which compressions a tar may have, and how each is read."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from processing.extraction import media_types

MAGIC = {
    b"\x1f\x8b": media_types.TAR_GZ,
    b"BZh": media_types.TAR_BZ2,
    b"\xfd7zXZ\x00": media_types.TAR_XZ,
}


def open_stream(path: Path, media_type: str) -> BinaryIO:
    """Return the bytes of a tar, decompressed as they are read."""
    if media_type == media_types.TAR:
        return path.open("rb")
    kinds: dict[str, Callable[[Path], object]] = {
        media_types.TAR_GZ: gzip.GzipFile,
        media_types.TAR_BZ2: bz2.BZ2File,
        media_types.TAR_XZ: lzma.LZMAFile,
    }
    # All three read bytes unless told otherwise.
    return cast(BinaryIO, kinds[media_type](path))
