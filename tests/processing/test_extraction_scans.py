"""Which pages of a PDF only show their text, and what is read of those."""

from pathlib import Path

from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from processing.extraction import media_types, scans
from processing.extraction.readers import pdf
from processing.extraction.readings import Readings, Wanted, recognise_pages
from tests.processing import scan_samples as samples
from tests.processing.extraction_samples import make_pdf, read

TESSERACT = Wanted("tesseract", ("eng",), seconds=600)


def recognised(path: Path, *numbers: int) -> Readings:
    return recognise_pages(path, media_types.PDF, numbers, TESSERACT)


def test_only_pages_that_show_their_text_are_to_be_recognised(tmp_path: Path) -> None:
    path = samples.make_scan(tmp_path / "a.pdf", ["=first", "A scanned page.", "=third", ""])

    extraction = read(path)

    assert extraction.unread == (2,)
    assert [page.text for page in extraction.pages] == ["first", "", "third", ""]


def test_a_scan_with_a_stamp_of_text_is_to_be_recognised_all_the_same(tmp_path: Path) -> None:
    path = samples.make_scan(tmp_path / "a.pdf", ["The herons of winter."], stamp="Page 1 of 1")

    extraction = read(path)

    assert extraction.unread == (1,)
    assert extraction.pages[0].text == "Page 1 of 1"
    text = recognised(path, 1).pages[1].text
    assert "herons of winter" in text
    assert scans.better_text(extraction.pages[0].text, text) == text


def test_a_picture_beside_a_page_of_text_is_left_alone(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=samples.SMALL)
    canvas.drawImage(ImageReader(samples.photograph()), 0, 0, *samples.SMALL)
    for line in range(4):
        canvas.drawString(20, 200 - 20 * line, "a page of text needs no recognition")
    canvas.save()

    assert read(tmp_path / "a.pdf").unread == ()


def test_a_text_layer_of_rubbish_is_replaced(tmp_path: Path) -> None:
    class Page:
        """What is asked of a page when its text says enough."""

    rubbish = "\ue012\ue034\ue0a1 \ue0b2\ue0c3 ok"

    assert scans.is_scan(Page(), rubbish)
    assert scans.better_text(rubbish, "herons") == "herons"
    assert scans.better_text(rubbish, "") == rubbish


def test_pages_keep_the_numbers_they_have_in_the_document(tmp_path: Path) -> None:
    path = samples.make_scan(tmp_path / "a.pdf", ["=first", "The second heron.", "The third eel."])

    found = recognised(path, 2, 3)

    assert "second heron" in found.pages[2].text
    assert "third eel" in found.pages[3].text
    assert found.engine == "tesseract"


def test_lines_drawn_without_a_font_are_to_be_recognised(tmp_path: Path) -> None:
    assert read(make_pdf(tmp_path / "a.pdf", ["", "text"])).unread == (1,)


def test_no_page_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    path = samples.make_scan(tmp_path / "a.pdf", ["A scanned page."])

    found = recognise_pages(path, media_types.PDF, [1], Wanted("tesseract", ("eng",), seconds=0))

    assert (found.pages, found.failed) == ({}, ())


def test_a_page_as_large_as_a_wall_is_drawn_small_enough(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(14_400, 14_400))
    canvas.rect(10, 10, 500, 500, fill=1)
    canvas.showPage()
    canvas.save()

    with pdf.opened(tmp_path / "a.pdf") as document:
        look = pdf.look_of(document, 1)

    assert look.width * look.height <= scans.MAX_PIXELS * 1.01
    assert look.dpi < 20


def test_readings_cross_a_process_border_as_json(tmp_path: Path) -> None:
    path = samples.make_scan(tmp_path / "a.pdf", ["A scanned page."])

    found = recognised(path, 1)

    assert Readings.from_json(found.to_json()) == found
