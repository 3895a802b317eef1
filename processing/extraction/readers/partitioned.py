"""Read slides (pptx) and rich text (rtf) through `unstructured`."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from documents.errors import CorruptError
from processing.extraction.archives import check_package, open_package
from processing.extraction.offline import prepare
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.describing import described
from processing.extraction.readers.drawing import paragraphs
from processing.extraction.readers.package import parse_xml, properties
from processing.extraction.readers.rows import lines_of
from processing.extraction.readers.web import write_html
from processing.extraction.source import Source

if TYPE_CHECKING:
    from pptx.slide import Slide
    from unstructured.documents.elements import Element

_BESIDE = ("/comments", "/diagramData")
# Language is detected once for the whole document, not by each element.
_NO_LANGUAGE_DETECTION = [""]


def read_slides(source: Source) -> Extraction:
    """Read a presentation, one page per slide: its shapes, tables, charts and speaker notes."""
    check_package(source.path)
    prepare()
    from pptx import Presentation
    from unstructured.partition.pptx import partition_pptx

    elements = partition_pptx(
        filename=str(source.path), languages=_NO_LANGUAGE_DETECTION, include_slide_notes=False
    )
    by_slide = {
        number: list(group)
        for number, group in groupby(elements, key=lambda element: element.metadata.page_number)
    }
    writer = PageWriter()
    for number, slide in enumerate(Presentation(str(source.path)).slides, start=1):
        _write_slide(by_slide.get(number, []), slide, writer)
    with open_package(source.path) as package:
        metadata = properties(package, "docProps/core.xml")
        pages = described(package, writer.finish())
    first = next((page.headings[0].text for page in pages if page.headings), "")
    return Extraction(pages=pages, title=metadata.pop("title", first), metadata=metadata)


def read_rich_text(source: Source) -> Extraction:
    """Read an RTF document; pandoc, which comes with the packages, converts it in a sandbox."""
    prepare()
    from unstructured.partition.rtf import partition_rtf

    try:
        elements = partition_rtf(filename=str(source.path), languages=_NO_LANGUAGE_DETECTION)
    except (RuntimeError, OSError) as exc:
        raise CorruptError("The document is damaged: it cannot be read as RTF.") from exc
    writer = PageWriter()
    for element in elements:
        _write(element, writer, is_heading=element.category == "Title")
        if writer.is_full:
            writer.end_page()
    pages = writer.finish()
    title = pages[0].headings[0].text if pages[0].headings else ""
    return Extraction(pages=pages, title=title)


def _write_slide(elements: Iterable["Element"], slide: "Slide", writer: PageWriter) -> None:
    for element in elements:
        is_title = element.category == "Title" and element.metadata.category_depth == 0
        _write(element, writer, is_heading=is_title and writer.is_empty)
    for chart in _charts(slide.shapes):
        writer.add("\n".join(lines_of(_chart_rows(chart))))
    for text in _beside(slide):
        writer.add(text)
    if slide.has_notes_slide:
        frame = slide.notes_slide.notes_text_frame
        writer.add(frame.text if frame is not None else "")
    writer.end_page()


def _write(element: "Element", writer: PageWriter, *, is_heading: bool) -> None:
    if element.category == "Table" and element.metadata.text_as_html:
        write_html(element.metadata.text_as_html, writer)
    elif is_heading:
        writer.add_heading(element.text or "")
    else:
        is_entry = element.category == "ListItem"
        writer.add(element.text or "", separator="\n" if is_entry else "\n\n")


def _beside(slide: "Slide") -> Iterator[str]:
    """Yield what stands off the slide, in its diagrams and in comments on it."""
    for shape in _leaves(slide.shapes):
        is_off = shape.top and shape.left and min(shape.top, shape.left) < 0
        if is_off and shape.has_text_frame:
            yield shape.text_frame.text
    for relation in slide.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(_BESIDE):
            yield from paragraphs(parse_xml(relation.target_part.blob))


def _leaves(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _leaves(shape.shapes)
        else:
            yield shape


def _charts(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if getattr(shape, "has_chart", False):
            yield shape.chart
        elif hasattr(shape, "shapes"):
            yield from _charts(shape.shapes)


def _chart_rows(chart: Any) -> Iterator[list[str]]:
    """Yield a chart as a table: a row of series names, then one row per category."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield [chart.chart_title.text_frame.text]
    for plot in chart.plots:
        series = list(plot.series)
        yield ["", *(str(one.name) for one in series)]
        for index, category in enumerate(plot.categories):
            values = (one.values[index] if index < len(one.values) else None for one in series)
            yield [str(category), *("" if value is None else f"{value:g}" for value in values)]
