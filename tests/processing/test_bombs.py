"""Small documents that unfold end in the sandbox, soon and with little memory, by a known error."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processing.sandbox import Sandbox
from tests.processing import bombs, scan_samples
from tests.processing.extraction_samples import write
from tests.processing.hostile import DRAW, LIMITS, LOOK, READ, Judged, judge, judging

MIB = 1024**2
# A machine with nothing else to do needs a tenth of it.
MOST_SECONDS = 30
MOST_BYTES = 400 * MIB

# Name, bytes, and how reading ends.
IMAGES = {
    "png of 60,000 × 60,000": ("a.png", lambda: scan_samples.huge_png(60_000), "too_complex"),
    "jpeg of 65,500 × 65,500": ("a.jpg", lambda: bombs.jpeg(65_500, 65_500), "too_complex"),
    "tiff of 100,000 × 100,000": ("a.tiff", lambda: bombs.tiff(100_000, 100_000), "too_complex"),
    "tiff of 30,000 pages": ("a.tiff", lambda: bombs.tiff(8, 8, pages=30_000), "too_complex"),
    "webp of 60,000 × 60,000": ("a.webp", lambda: bombs.webp(60_000, 60_000), "corrupt"),
    # Its first frame is 4 × 4 pixels, and no more is decoded.
    "gif of 65,535 × 65,535": ("a.gif", lambda: bombs.gif(1, (65_535, 65_535)), "read"),
    "tiff with a head that lies": ("a.tiff", lambda: bombs.tiff(15_000, 15_000), "read"),
    "gif of 100,000 frames": ("a.gif", lambda: bombs.gif(100_000), "read"),
}
PDFS = {
    "pages nested 100,000 deep": (lambda: bombs.nested_pages(100_000), "corrupt"),
    "pages that lead in a circle": (bombs.circling_pages, "corrupt"),
    "a page of 1,000,000,000 points": (lambda: bombs.giant_page(10**9), "read"),
    "a page of 2 GiB": (lambda: bombs.inflating_page(2048), "too_complex"),
    "a page of 2 GiB, packed twice": (lambda: bombs.twice_inflating_page(2048), "too_complex"),
    "an object stream of 2 GiB": (lambda: bombs.inflating_objects(2048), "too_complex"),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with judging() as running:
        yield running


def stays_small(judged: Judged) -> bool:
    """Whether it was soon over with little memory; who met the limit was held to it."""
    met_the_limit = judged.peak_bytes is None and judged.end == "too_complex"
    is_small = met_the_limit or (judged.peak_bytes or LIMITS.memory_bytes) < MOST_BYTES
    return is_small and judged.seconds < MOST_SECONDS


@pytest.mark.parametrize(("name", "make", "end"), IMAGES.values(), ids=IMAGES)
def test_an_image_that_unfolds_is_told_by_its_head(
    sandbox: Sandbox, tmp_path: Path, name: str, make: Callable[[], bytes], end: str
) -> None:
    judged = judge(sandbox, READ, write(tmp_path / name, make()))

    assert judged.end == end, judged
    assert stays_small(judged), judged


@pytest.mark.parametrize("task", [DRAW, LOOK])
@pytest.mark.parametrize(("name", "make", "end"), IMAGES.values(), ids=IMAGES)
def test_an_image_that_unfolds_is_drawn_within_limits_or_refused(
    sandbox: Sandbox, tmp_path: Path, name: str, make: Callable[[], bytes], end: str, task: str
) -> None:
    judged = judge(sandbox, task, write(tmp_path / name, make()))

    assert judged.end in {"drawn", "seen", "too_complex", "corrupt"}, judged
    assert stays_small(judged), judged


@pytest.mark.parametrize(("make", "end"), PDFS.values(), ids=PDFS)
def test_a_pdf_that_unfolds_ends_as_it_should(
    sandbox: Sandbox, tmp_path: Path, make: Callable[[], bytes], end: str
) -> None:
    judged = judge(sandbox, READ, write(tmp_path / "a.pdf", make()))

    assert judged.end == end, judged
    assert stays_small(judged), judged


@pytest.mark.parametrize("task", [DRAW, LOOK])
@pytest.mark.parametrize(("make", "end"), PDFS.values(), ids=PDFS)
def test_a_pdf_that_unfolds_is_drawn_within_limits_or_refused(
    sandbox: Sandbox, tmp_path: Path, make: Callable[[], bytes], end: str, task: str
) -> None:
    judged = judge(sandbox, task, write(tmp_path / "a.pdf", make()))

    assert judged.end in {"drawn", "seen", "too_complex", "corrupt"}, judged
    assert stays_small(judged), judged
