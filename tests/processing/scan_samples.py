"""Scans, photographs and screenshots, made where they are needed."""

import io
import random
import re
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
from PIL import Image, ImageDraw, ImageFilter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph
from reportlab.platypus.frames import Frame

from processing.extraction.recognition import Raster

# A postcard, so that a page takes tenths of a second.
SMALL = (420.0, 298.0)
DPI = 200
PROSE = (
    "The heron stands in the shallow water of the harbour and waits. Nobody who walks along the "
    "quay in the early morning pays attention to it, although it has been there for eleven years. "
    "Fishermen say that it knows the timetable of the ferry, because it leaves its place a few "
    "minutes before the boat arrives and returns when the last passenger has gone. In winter, "
    "when ice covers the basin, somebody leaves small fish on the steps beneath the lighthouse. "
    "The municipal council discussed in 1987 whether the bird should appear on the new coat of "
    "arms; the proposal was rejected by a single vote and has not been repeated since."
)


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def f1(expected: str, found: str) -> float:
    """Return how well the words of two texts agree, 0 to 1, whatever their order."""
    one, other = words(expected), words(found)
    return 2 * (one & other).total() / (one.total() + other.total())


def page_image(*columns: str, size: tuple[float, float] = SMALL, dpi: int = DPI) -> Image.Image:
    """Return the picture of a page with columns of print side by side."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=size)
    style = ParagraphStyle("body", fontName="Times-Roman", fontSize=10, leading=12, alignment=4)
    width = (size[0] - 40) / len(columns)
    for number, text in enumerate(columns):
        frame = Frame(20 + number * width, 15, width, size[1] - 30, 8, 8, 8, 8)
        frame.addFromList([Paragraph(part, style) for part in text.split("\n")], canvas)
    canvas.save()
    document = pypdfium2.PdfDocument(buffer.getvalue())
    page = document[0]
    picture: Image.Image = page.render(scale=dpi / 72).to_pil().convert("RGB")
    page.close()
    document.close()
    return picture


def raster(picture: Image.Image) -> Raster:
    grey = picture.convert("L")
    return Raster(grey.width, grey.height, grey.tobytes(), dpi=DPI)


def photograph(seed: int = 1, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Return what a camera sees of a tree: branches, twigs and leaves, and no writing."""
    lots = random.Random(seed)
    picture = Image.new("RGB", size, (150, 180, 215))
    draw = ImageDraw.Draw(picture)
    for _ in range(180):
        x, y = lots.uniform(0, size[0]), lots.uniform(0, size[1])
        end = (x + lots.gauss(0, 60), y + lots.gauss(0, 60))
        draw.line([(x, y), end], fill=(60, 45, 30), width=lots.randint(1, 6))
    for _ in range(900):
        x, y, r = lots.uniform(0, size[0]), lots.uniform(0, size[1]), lots.uniform(1, 6)
        green = (lots.randint(20, 90), lots.randint(80, 160), lots.randint(20, 60))
        draw.ellipse([x - r, y - r / 2, x + r, y + r / 2], fill=green)
    return picture.filter(ImageFilter.GaussianBlur(0.8))


def make_scan(path: Path, pages: Sequence[str | Image.Image], *, stamp: str = "") -> Path:
    """Write a PDF: a string that begins with "=" is a page of text, any other page is a picture."""
    canvas = Canvas(str(path), pagesize=SMALL)
    for page in pages:
        if isinstance(page, str) and page.startswith("="):
            canvas.drawString(40, 200, page[1:])
        elif page:
            picture = page_image(page) if isinstance(page, str) else page
            canvas.drawImage(ImageReader(picture), 0, 0, *SMALL)
            canvas.drawString(300, 10, stamp)
        canvas.showPage()
    canvas.save()
    return path


def huge_png(side: int) -> bytes:
    """Return a PNG of some hundred bytes whose head promises side × side pixels."""

    def part(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = part(b"IDAT", zlib.compress(bytes(10_000)))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + body + part(b"IEND", b"")
