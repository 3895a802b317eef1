"""How a model wants to see an image: at one size, whatever the image's own is."""

from dataclasses import dataclass

# What the sandbox leaves: bare bytes of RGB, so that who takes them over has nothing to decode.
SAMPLE = "sample.rgb"
COLOURS = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """So many pixels, RGB.

    With `shorter_side` the image is brought to that and its middle is cut out; with 0 all of
    it is pressed into the frame, whatever becomes of its proportions.
    """

    width: int
    height: int
    shorter_side: int = 0

    @property
    def size_bytes(self) -> int:
        """Return how much an image in this frame is."""
        return self.width * self.height * COLOURS
