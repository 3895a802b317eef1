"""A blurred picture in some 25 bytes, shown until the real one is there.

This is ThumbHash for images without transparency: a few cosines of lightness and of two
colour differences. https://evanw.github.io/thumbhash/
"""

import base64

import numpy as np
from numpy.typing import NDArray

# What is hashed is no larger; nobody sees more of it.
SIDE = 100
_LUMINANCE, _COLOUR = 7, 3

Matrix = NDArray[np.float64]


def placeholder(pixels: NDArray[np.uint8]) -> str:
    """Return the hash of (height, width, 3) bytes of RGB in base64."""
    return base64.b64encode(hash_of(pixels)).decode()


def hash_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return the hash of (height, width, 3) bytes of RGB, at most SIDE long and wide."""
    height, width, _ = pixels.shape
    red, green, blue = np.moveaxis(pixels.astype(np.float64) / 255, 2, 0)
    nx, ny = (max(1, _round(_LUMINANCE * n / max(width, height))) for n in (width, height))
    light = _encode((red + green + blue) / 3, max(3, nx), max(3, ny))
    yellow = _encode((red + green) / 2 - blue, _COLOUR, _COLOUR)
    tint = _encode(red - green, _COLOUR, _COLOUR)
    is_wide = width > height
    first = (
        _round(63 * light[0])
        | _round(31.5 + 31.5 * yellow[0]) << 6
        | _round(31.5 + 31.5 * tint[0]) << 12
        | _round(31 * light[2]) << 18
    )
    second = (
        (ny if is_wide else nx)
        | _round(63 * yellow[2]) << 3
        | _round(63 * tint[2]) << 9
        | int(is_wide) << 15
    )
    waves = [_round(15 * wave) for _, found, _ in (light, yellow, tint) for wave in found]
    waves += [0] * (len(waves) % 2)
    halves = [low | high << 4 for low, high in zip(waves[::2], waves[1::2], strict=True)]
    return first.to_bytes(3, "little") + second.to_bytes(2, "little") + bytes(halves)


def _encode(channel: Matrix, nx: int, ny: int) -> tuple[float, list[float], float]:
    """Return the mean of a channel, its waves between 0 and 1, and how high they go."""
    height, width = channel.shape
    across = _cosines(nx, width)
    down = _cosines(ny, height)
    # (ny, nx): every wave at once, of which the coarse ones in one corner are kept.
    found = down @ channel @ across.T / (width * height)
    kept = [
        float(found[y, x])
        for y in range(ny)
        for x in range(nx)
        if (x or y) and x * ny < nx * (ny - y)
    ]
    most = max((abs(wave) for wave in kept), default=0.0)
    scaled = [0.5 + 0.5 / most * wave for wave in kept] if most else [0.0] * len(kept)
    return float(found[0, 0]), scaled, most


def _cosines(n: int, length: int) -> Matrix:
    places = (np.arange(length) + 0.5) * np.pi / length
    waves: Matrix = np.cos(np.outer(np.arange(n), places))
    return waves


def _round(value: float) -> int:
    # A wave that is not there is half of sixteen steps: no last bit of some processor's may
    # decide which half it falls to.
    return int(round(value, 6) + 0.5)
