"""Photographs as telephones store them: HEVC in HEIC, in tiles, turned by the container.

Nobody gives out an encoder of HEVC with a wheel, and none is needed: every block is stored
as the samples it shows (`pcm_flag`, ITU-T H.265, 7.3.8.5), in a slice of its own, so that
the arithmetic coder says the same each time.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

# The side of a block, which is the largest that may be stored as it is.
BLOCK = 32
_VPS, _SPS, _PPS, _IDR = 32, 33, 34, 19
# One part, stored as it is; then, behind the samples, the end of the slice.
_STORED, _END = "100001101", "111111101"
_EXIF_HEAD = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Turn:
    """How the container has a picture shown: quarters to the left, then mirrored or not."""

    quarters: int = 0
    mirrored: bool = False


def heic(
    picture: Image.Image,
    *,
    tile: int = 512,
    turn: Turn | None = None,
    exif: Image.Exif | None = None,
    claimed: tuple[int, int] | None = None,
) -> bytes:
    """Return a picture in tiles of `tile` × `tile` pixels; `claimed` is a size it does not have."""
    turn = turn or Turn()
    columns, rows = -(-picture.width // tile), -(-picture.height // tile)
    tiles = [
        _coded(picture.crop((x * tile, y * tile, (x + 1) * tile, (y + 1) * tile)))
        for y in range(rows)
        for x in range(columns)
    ]
    width, height = claimed or picture.size
    grid = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    described = [b"\0\0\0\6" + exif.tobytes()] if exif else []
    payloads = [grid, *tiles, *described]
    kinds = [b"grid", *[b"hvc1"] * len(tiles), *[b"Exif"] * len(described)]
    properties = [
        _box(b"hvcC", _decoder(tile)),
        _full(b"ispe", struct.pack(">II", tile, tile)),
        _full(b"ispe", struct.pack(">II", width, height)),
        _box(b"irot", bytes([turn.quarters])),
        _box(b"imir", b"\1"),
    ]
    shown = [3, 0x84, *([0x85] if turn.mirrored else [])]
    links = [shown, *[[0x81, 2]] * len(tiles)]
    return _container(payloads, kinds, properties, links)


def _container(
    payloads: Sequence[bytes],
    kinds: Sequence[bytes],
    properties: Sequence[bytes],
    links: Sequence[Sequence[int]],
) -> bytes:
    head = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
    # Places have a fixed width, so that the length is known before they are.
    length = len(head) + len(_meta(kinds, properties, links, [(0, 0)] * len(payloads)))
    places, at = [], length + 8
    for payload in payloads:
        places.append((at, len(payload)))
        at += len(payload)
    return head + _meta(kinds, properties, links, places) + _box(b"mdat", b"".join(payloads))


def _meta(
    kinds: Sequence[bytes],
    properties: Sequence[bytes],
    links: Sequence[Sequence[int]],
    places: Sequence[tuple[int, int]],
) -> bytes:
    items = [
        _full(b"infe", struct.pack(">HH4sB", number, 0, kind, 0), version=2)
        for number, kind in enumerate(kinds, 1)
    ]
    tiles = [number for number, kind in enumerate(kinds, 1) if kind == b"hvc1"]
    references = _box(b"dimg", struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *tiles))
    for number, kind in enumerate(kinds, 1):
        if kind == b"Exif":
            references += _box(b"cdsc", struct.pack(">HHH", number, 1, 1))
    linked = b"".join(
        struct.pack(">HB", number, len(each)) + bytes(each) for number, each in enumerate(links, 1)
    )
    located = b"".join(
        struct.pack(">HHHII", number, 0, 1, *place) for number, place in enumerate(places, 1)
    )
    return _full(
        b"meta",
        _full(b"hdlr", struct.pack(">I4s12sB", 0, b"pict", b"", 0))
        + _full(b"pitm", struct.pack(">H", 1))
        + _full(b"iinf", struct.pack(">H", len(items)) + b"".join(items))
        + _full(b"iref", references)
        + _box(
            b"iprp",
            _box(b"ipco", b"".join(properties))
            + _full(b"ipma", struct.pack(">I", len(links)) + linked),
        )
        + _full(b"iloc", struct.pack(">BBH", 0x44, 0, len(places)) + located),
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _full(kind: bytes, content: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">B3x", version) + content)


def _coded(part: Image.Image) -> bytes:
    """Return a tile as slices of one block each, in grey."""
    grey = part.convert("L")
    across, down = grey.width // BLOCK, grey.height // BLOCK
    slices = []
    for at in range(across * down):
        x, y = at % across * BLOCK, at // across * BLOCK
        block = grey.crop((x, y, x + BLOCK, y + BLOCK)).tobytes()
        slices.append(_slice(at, across * down, block))
    return b"".join(struct.pack(">I", len(each)) + each for each in slices)


def _slice(at: int, blocks: int, luma: bytes) -> bytes:
    head = "1" if at == 0 else "0"
    head += "0" + _ue(0)
    if at:
        head += f"{at:0{(blocks - 1).bit_length()}b}"
    head += _ue(2) + _ue(0)
    colour = bytes([128]) * (BLOCK * BLOCK // 2)
    return _unit(_IDR, _packed(_ended(head)) + _packed(_STORED) + luma + colour + _packed(_END))


def _decoder(tile: int) -> bytes:
    """Return the parameters of all tiles as `hvcC` holds them (ISO/IEC 14496-15, 8.3.3.1)."""
    units = [(_VPS, _video()), (_SPS, _sequence(tile)), (_PPS, _picture())]
    head = struct.pack(
        ">BBIHIBHBBBBHBB",
        *(1, 0x03, 0x60000000, 0x9000, 0, 93, 0xF000, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0x0F),
        len(units),
    )
    return head + b"".join(
        struct.pack(">BHH", 0x80 | kind, 1, len(unit)) + unit for kind, unit in units
    )


def _video() -> bytes:
    bits = "0000" + "11" + "000000" + "000" + "1" + "1" * 16 + _profile()
    bits += "1" + _ue(0) * 3 + "000000" + _ue(0) + "0" + "0"
    return _unit(_VPS, _packed(_ended(bits)))


def _sequence(tile: int) -> bytes:
    bits = "0000" + "000" + "1" + _profile() + _ue(0) + _ue(1) + _ue(tile) * 2 + "0"
    bits += _ue(0) * 2 + _ue(0) + "1" + _ue(0) * 3
    # Blocks of 32 that are not split; transforms, of which there are none, from 4 to 32.
    bits += _ue(2) + _ue(0) + _ue(0) + _ue(3) + _ue(0) * 2
    # No scaling lists, no asymmetry, no offsets; stored blocks of 8 bits a sample, unfiltered.
    bits += "0" + "0" + "0" + "1" + "0111" * 2 + _ue(2) + _ue(0) + "1"
    bits += _ue(0) + "0" + "0" + "0" + "0" + "0"
    return _unit(_SPS, _packed(_ended(bits)))


def _picture() -> bytes:
    bits = _ue(0) * 2 + "0" + "0" + "000" + "0" + "0" + _ue(0) * 2 + _ue(0)
    bits += "0" * 3 + _ue(0) * 2 + "0" * 7
    # Nothing is smoothed between blocks.
    bits += "1" + "0" + "1" + "0" + "0" + _ue(0) + "0" + "0"
    return _unit(_PPS, _packed(_ended(bits)))


def _profile() -> str:
    """Return "Main", progressive, at a level that has room."""
    return "00" + "0" + "00001" + f"{0x60000000:032b}" + "1001" + "0" * 44 + f"{93:08b}"


def _unit(kind: int, payload: bytes) -> bytes:
    """Return a unit, with a 3 between zeros that would be taken for the beginning of another."""
    safe, zeros = bytearray(), 0
    for byte in payload:
        if zeros == 2 and byte <= 3:
            safe.append(3)
            zeros = 0
        safe.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes([kind << 1, 1]) + bytes(safe)


def _ue(number: int) -> str:
    """Return an unsigned number as Exp-Golomb code; a signed 0 is the same."""
    code = f"{number + 1:b}"
    return "0" * (len(code) - 1) + code


def _ended(bits: str) -> str:
    return bits + "1"


def _packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
