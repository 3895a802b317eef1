"""What the real LibreOffice makes of documents, inside the sandbox; where it is installed."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pptx
import pytest
from PIL import Image
from pptx.dml.color import RGBColor
from pptx.util import Inches

from processing.extraction import Extraction, libreoffice
from processing.extraction import media_types as types
from processing.reading import DETECT, DRAW, MAX_DRAWN_BYTES, READ, sandbox
from processing.sandbox import Limits
from tests.processing import extraction_samples as samples
from tests.processing.extraction_samples import headings_of, text_of
from tests.processing.test_previews import RED, looks

pytestmark = pytest.mark.skipif(
    libreoffice.program() is None, reason="LibreOffice is not installed"
)

SECONDS = 120
KINDS = {"ods": types.ODS, "odp": types.ODP, "odt": types.ODT, "xls": types.XLS, "rtf": types.RTF}


def saved_as(path: Path, media_type: str, suffix: str) -> Path:
    """Return the document in an older format, as LibreOffice saves it."""
    found = libreoffice.converted(path, media_type, suffix, path.parent, seconds=SECONDS)
    assert found is not None
    return found


def read(path: Path, expected: str) -> Extraction:
    """Read a document as a worker does, which sees what it is by its bytes."""
    about: Any = {"path": str(path), "name": path.name}
    told: Any = sandbox.run(DETECT, arguments=about)
    assert told["media_type"] == expected
    answer: Any = sandbox.run(READ, arguments={**about, "media_type": expected})
    return Extraction.from_json(answer)


def drawn(path: Path, media_type: str) -> Image.Image:
    """Return the small picture of a document."""
    arguments: Any = {"path": str(path), "name": path.name, "media_type": media_type}
    arguments["words"] = {"title": "", "text": "", "label": ""}
    limits = Limits(file_bytes=MAX_DRAWN_BYTES)
    with sandbox.run_for_files(DRAW, arguments=arguments, limits=limits) as answered:
        told: Any = answered.value
        return Image.open(BytesIO((answered.directory / told["thumbnail"]["name"]).read_bytes()))


def test_an_old_word_document_is_read_like_its_successor(tmp_path: Path) -> None:
    old = saved_as(samples.make_docx(tmp_path / "new.docx"), types.DOCX, "doc")

    extraction = read(old, types.DOC)

    text = text_of(extraction)
    for expected in ("They stand in cold water.", "Grey heron; Count: 12", "Running head"):
        assert expected in text
    assert headings_of(extraction) == ["Herons in winter", "Second page"]


def test_an_old_presentation_is_read_slide_by_slide(tmp_path: Path) -> None:
    old = saved_as(samples.make_pptx(tmp_path / "new.pptx"), types.PPTX, "ppt")

    first, second = read(old, types.PPT).pages

    assert "Revenue rose" in first.text
    assert "Pause here for questions" in first.text
    assert "Grouped remark" in second.text


def test_an_office_document_is_drawn_as_it_is_printed(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    fill = slide.background.fill
    fill.solid()
    make_colour: Any = RGBColor  # Without types.
    fill.fore_color.rgb = make_colour(*RED)
    slide.shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1)).text_frame.text = "Gate"
    path = tmp_path / "red.pptx"
    deck.save(str(path))

    picture = drawn(path, types.PPTX)

    assert picture.size == (320, 240)
    assert looks(picture, (0.9, 0.9), RED)


@pytest.mark.parametrize("suffix", KINDS)
def test_each_kind_has_more_than_a_card(tmp_path: Path, suffix: str) -> None:
    if suffix in {"ods", "xls"}:
        new, kind = samples.make_xlsx(tmp_path / "a.xlsx", {"S": [["x", 1]]}), types.XLSX
    elif suffix == "odp":
        new, kind = samples.make_pptx(tmp_path / "a.pptx"), types.PPTX
    else:
        new, kind = samples.make_docx(tmp_path / "a.docx"), types.DOCX
    old = saved_as(new, kind, suffix)

    picture = drawn(old, KINDS[suffix])

    # A card is 240 wide; pages have the form of paper.
    assert picture.size != (240, 320)
