"""Pages of a PDF that only show their text: which they are, and what they look like."""

import math
import re
from typing import TYPE_CHECKING

from processing.extraction.recognition.raster import Raster

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

DPI = 300
POINTS_PER_INCH = 72
# A3 at 200 dots per inch. More takes longer and reads no better.
MAX_PIXELS = 9_000_000
# A page with more letters than this has its text, whatever is shown beside it.
_FEW_LETTERS = 100
# The share of a page that pictures cover before they are taken for the page itself.
_COVERED = 0.5
# Fonts that do not say what their signs mean give signs of private use, or none at all.
_RUBBISH = re.compile("[\ue000-\uf8ff\ufffd\x00-\x08\x0e-\x1f]|\\(cid:\\d+\\)")
_MAX_RUBBISH = 0.3
_LETTER = re.compile(r"[^\W_]")
# Maps have a hundred thousand; what a page consists of shows much earlier.
_MAX_OBJECTS = 2_000
_FORM_DEPTH = 3


def is_scan(page: "PdfPage", text: str) -> bool:
    """Whether a page shows text that it does not have; `text` is what it has.

    A page with no text is one unless it is blank; so is one whose text is rubbish, and
    one that is a picture with next to no text, such as a stamp on a scan.
    """
    letters = len(_LETTER.findall(text))
    if _is_rubbish(text):
        return True
    if not letters:
        return _has_objects(page)
    return letters < _FEW_LETTERS and _covered_by_pictures(page) >= _COVERED


def better_text(layer: str, recognised: str) -> str:
    """Return the text to keep of a page: what was recognised, unless that is less."""
    if _is_rubbish(layer) and recognised:
        return recognised
    is_more = len(_LETTER.findall(recognised)) >= len(_LETTER.findall(layer))
    return recognised if is_more else layer


def render(page: "PdfPage") -> Raster:
    """Return what a page looks like, at 300 dots per inch where it is not too large."""
    width, height = page.get_size()
    scale = DPI / POINTS_PER_INCH
    scale = min(scale, math.sqrt(MAX_PIXELS / max(width * height, 1)))
    bitmap = page.render(scale=scale, grayscale=True, draw_annots=True)
    try:
        return Raster(
            bitmap.width, bitmap.height, _pixels(bitmap), dpi=round(scale * POINTS_PER_INCH)
        )
    finally:
        bitmap.close()


def _pixels(bitmap: object) -> bytes:
    import numpy as np

    # Rows are padded in memory; here they follow each other.
    return np.ascontiguousarray(bitmap.to_numpy()).tobytes()  # type: ignore[attr-defined]


def _is_rubbish(text: str) -> bool:
    visible = len("".join(text.split()))
    return visible > 0 and sum(map(len, _RUBBISH.findall(text))) > _MAX_RUBBISH * visible


def _has_objects(page: "PdfPage") -> bool:
    return next(iter(page.get_objects(max_depth=1)), None) is not None


def _covered_by_pictures(page: "PdfPage") -> float:
    """Return which share of the page pictures cover; scans may come in strips."""
    import pypdfium2.raw as pdfium

    left, bottom, right, top = page.get_bbox()
    area = max((right - left) * (top - bottom), 1.0)
    covered = 0.0
    wanted = [pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_FORM]
    for number, found in enumerate(page.get_objects(filter=wanted, max_depth=_FORM_DEPTH)):
        if number >= _MAX_OBJECTS:
            break
        if found.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            # What is in a form is placed by the form.
            x0, y0, x1, y1 = (found.container or found).get_bounds()
            across = max(min(x1, right) - max(x0, left), 0.0)
            covered += across * max(min(y1, top) - max(y0, bottom), 0.0)
    return float(covered / area)
