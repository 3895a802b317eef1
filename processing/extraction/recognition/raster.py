"""The picture of a page, as every engine takes it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Raster:
    """A page in grey, one byte a pixel, row by row; 0 is black.

    `dpi` are the dots per inch of the paper, where they are known.
    """

    width: int
    height: int
    pixels: bytes
    dpi: int = 0

    def as_pgm(self) -> bytes:
        """Return the picture as a portable grey map (https://netpbm.sourceforge.net/doc/pgm.html)."""
        return b"P5\n%d %d\n255\n" % (self.width, self.height) + self.pixels

    def as_array(self) -> "NDArray[np.uint8]":
        """Return the pixels as (height, width)."""
        import numpy as np

        return np.frombuffer(self.pixels, np.uint8).reshape(self.height, self.width)

    def turned(self, turns: int) -> "Raster":
        """Return the picture after so many quarter turns to the left."""
        import numpy as np

        pixels = np.rot90(self.as_array(), turns)
        height, width = pixels.shape
        return Raster(width, height, pixels.tobytes(), self.dpi)
