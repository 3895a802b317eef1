"""Small documents that promise, or unfold to, far more than they are."""

import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
# Ten entities that stand for two gigabytes.
BILLION_LAUGHS = f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'


def laughing(xml: str, *, encoding: str = "utf-8") -> bytes:
    """Return XML whose root, `<x>…</x>` with "&l9;" somewhere, stands for gigabytes."""
    head = f'<?xml version="1.0" encoding="{encoding.upper()}"?>'
    return f"{head}{BILLION_LAUGHS}{xml}".encode(encoding)


def tiff(width: int, height: int, *, strip: bytes = b"\0" * 64, pages: int = 1) -> bytes:
    """Return a TIFF of one bit a pixel whose heads claim a size that its one strip has not."""
    body = bytearray(b"II*\0" + struct.pack("<I", 0) + strip)
    link = 4
    for _ in range(pages):
        body[link : link + 4] = struct.pack("<I", len(body))
        fields = ((256, width), (257, height), (258, 1), (259, 1), (262, 1), (273, 8))
        tags = (*fields, (277, 1), (278, height), (279, len(strip)))
        body += struct.pack("<H", len(tags))
        body += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        link = len(body)
        body += bytes(4)
    return bytes(body)


def gif(frames: int, size: tuple[int, int] = (4, 4)) -> bytes:
    """Return a GIF with so many frames of one colour, 4 by 4 pixels each, on a screen of `size`."""
    small = io.BytesIO()
    Image.new("P", (4, 4)).save(small, "GIF")
    still = small.getvalue()
    colours = 3 * 2 ** ((still[10] & 7) + 1)
    head = still[:6] + struct.pack("<HH", *size) + still[10 : 13 + colours]
    frame = still[still.index(b",", 13 + colours) : -1]
    return head + frame * frames + b";"


def webp(width: int, height: int) -> bytes:
    """Return a WebP that moves, with frames of 4 by 4 pixels on a canvas that claims a size."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    small = io.BytesIO()
    frames[0].save(small, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    whole = bytearray(small.getvalue())
    canvas = whole.index(b"VP8X") + 12
    whole[canvas : canvas + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(
        3, "little"
    )
    return bytes(whole)


def jpeg(width: int, height: int) -> bytes:
    """Return a JPEG whose head claims a size that its pixels have not."""
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "JPEG")
    whole = bytearray(small.getvalue())
    frame = whole.index(b"\xff\xc0") + 5
    whole[frame : frame + 4] = struct.pack(">HH", height, width)
    return bytes(whole)


def pdf(objects: Sequence[bytes], *, version: bytes = b"1.7") -> bytes:
    """Return a PDF of these objects, numbered from 1; the first one is its catalogue."""
    body = bytearray(b"%PDF-" + version + b"\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    body += b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"trailer\n<</Size %d/Root 1 0 R>>\n" % (len(objects) + 1)
    return bytes(body + b"startxref\n%d\n%%%%EOF\n" % start)


def nested_pages(depth: int) -> bytes:
    """Return a PDF whose one page is so deep in its tree."""
    tree = [
        b"<</Type/Pages/Kids[%d 0 R]/Count 1%s>>"
        % (number + 1, b"/Parent %d 0 R" % (number - 1) if number > 2 else b"")
        for number in range(2, depth + 2)
    ]
    leaf = b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 200 200]>>" % (depth + 1)
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", *tree, leaf])


def circling_pages() -> bytes:
    """Return a PDF whose tree of pages leads back to its root."""
    tree = b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 1000000000>>"
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", tree])


def giant_page(points: int) -> bytes:
    """Return a PDF with one page so long and so wide, and a word on it."""
    words = b"BT /F 12 Tf 20 20 Td (wall) Tj ET"
    return one_page(b"<</Length %d>>stream\n%s\nendstream" % (len(words), words), points)


def inflating_page(blocks: int) -> bytes:
    """Return a PDF whose page is drawn by a stream of so many mebibytes of spaces."""
    packed = deflated(blocks)
    head = b"<</Filter/FlateDecode/Length %d>>stream\n" % len(packed)
    return one_page(head + packed + b"\nendstream")


def twice_inflating_page(blocks: int) -> bytes:
    """Return the same, packed twice: a few hundred bytes."""
    packed = zlib.compress(deflated(blocks), 9)
    head = b"<</Filter[/FlateDecode/FlateDecode]/Length %d>>stream\n" % len(packed)
    return one_page(head + packed + b"\nendstream")


def inflating_objects(blocks: int) -> bytes:
    """Return a PDF whose catalogue is in an object stream of so many mebibytes."""
    catalogue = b"1 0 <</Type/Catalog/Pages 3 0 R>>"
    packed = deflated(blocks, catalogue)
    stream = b"<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n" % len(packed)
    body = bytearray(b"%PDF-1.7\n")
    places = {2: len(body)}
    body += b"2 0 obj\n" + stream + packed + b"\nendstream\nendobj\n"
    places[3] = len(body)
    body += b"3 0 obj\n<</Type/Pages/Kids[4 0 R]/Count 1>>\nendobj\n"
    places[4] = len(body)
    body += b"4 0 obj\n<</Type/Page/Parent 3 0 R/MediaBox[0 0 200 200]>>\nendobj\n"
    places[5] = len(body)
    rows = [b"\0" + bytes(5), b"\2\0\0\0\2\0"]
    rows += [b"\1" + struct.pack(">I", places[number]) + b"\0" for number in (2, 3, 4, 5)]
    table = b"".join(rows)
    body += b"5 0 obj\n<</Type/XRef/Size 6/W[1 4 1]/Root 1 0 R/Length %d>>stream\n" % len(table)
    body += table + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % places[5]
    return bytes(body)


def one_page(content: bytes, points: int = 200) -> bytes:
    """Return a PDF with one page that this stream draws."""
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 4 0 R"
        b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>"
    )
    return pdf(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            page % (points, points),
            content,
        ]
    )


def deflated(blocks: int, head: bytes = b"") -> bytes:
    """Return so many mebibytes of spaces behind a head, packed a thousandfold."""
    spaces = b" " * 1024**2
    packer = zlib.compressobj(9)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    # Behind a full flush nothing refers back: one block stands for all of them.
    block = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.adler32(head)
    for _ in range(blocks):
        checksum = zlib.adler32(spaces, checksum)
    # The last block of the format, with nothing in it.
    return packed + block * blocks + b"\x03\x00" + struct.pack(">I", checksum)
