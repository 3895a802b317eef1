"""Read workbooks (xlsx, xlsm, xls), one page or more per sheet, one line per row."""

import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from documents.errors import CorruptError, TooComplexError
from processing.extraction.archives import open_package
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.describing import described
from processing.extraction.readers.drawing import paragraphs, related, running_heads
from processing.extraction.readers.number_formats import moment, number
from processing.extraction.readers.package import parse_xml, properties
from processing.extraction.readers.rows import header_of_data, lines_of
from processing.extraction.source import Source

# A sheet may claim 17 billion cells; reading stops where no sheet made by a person ends.
_MAX_CELLS = 20_000_000


def read_xlsx(source: Source) -> Extraction:
    """Read a workbook of Office Open XML; formulas by the value they had when it was saved."""
    import openpyxl

    writer = PageWriter()
    # As a stream: of a path it wants to see a suffix that it knows.
    with open_package(source.path) as package, source.path.open("rb") as stream:
        metadata = properties(package, "docProps/core.xml")
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        for sheet in book.worksheets:
            # The size a sheet declares may be wrong; without it rows are read as they come.
            sheet.reset_dimensions()
            _write_sheet(sheet.title, _shown(sheet.iter_rows()), writer)
            _write_beside(package, sheet._worksheet_path, writer)
        pages = described(package, writer.finish())
    return Extraction(pages=pages, title=metadata.pop("title", ""), metadata=metadata)


def read_xls(source: Source) -> Extraction:
    """Read a workbook of the format before 2007."""
    import xlrd

    try:
        book = xlrd.open_workbook(str(source.path), on_demand=True, formatting_info=True)
    except xlrd.XLRDError as exc:
        raise CorruptError("The document is damaged: it cannot be read as a workbook.") from exc
    writer = PageWriter()
    for name in book.sheet_names():
        sheet = book.sheet_by_name(name)
        rows = (_xls_row(sheet, index, book.datemode) for index in range(sheet.nrows))
        _write_sheet(name, rows, writer)
        writer.end_page()
        book.unload_sheet(name)
    return Extraction(pages=writer.finish())


def _shown(rows: Iterable[Iterable[Any]]) -> Iterator[list[str]]:
    """Yield the cells of rows as their formats show them."""
    for row in rows:
        yield [_as_shown(cell) for cell in row]


def _as_shown(cell: Any) -> str:
    value = cell.value
    if isinstance(value, datetime | date | time | timedelta):
        return moment(value, cell.number_format or "")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value, cell.number_format or "")
    return _text(value)


def _write_beside(package: zipfile.ZipFile, part: str, writer: PageWriter) -> None:
    """Write comments, boxes, charts and running heads of a sheet behind it, equal ones once."""
    told = dict.fromkeys(text.strip() for text in _beside(package, part.lstrip("/")))
    for text in told:
        writer.add(text)
    if not writer.is_empty:
        writer.end_page()


def _beside(package: zipfile.ZipFile, part: str) -> Iterator[str]:
    yield from running_heads(package, part)
    for found in related(package, part, "comments", "threadedComment", "drawing"):
        yield from paragraphs(parse_xml(package.read(found)))
        for inner in related(package, found, "chart", "diagramData"):
            yield from paragraphs(parse_xml(package.read(inner)))


def _write_sheet(name: str, rows: Iterable[Iterable[Any]], writer: PageWriter) -> None:
    writer.add_heading(name)
    separator = "\n\n"
    for line in lines_of(_texts(rows), header_of_data):
        writer.add(line, separator=separator)
        separator = "\n" if line else "\n\n"
        if writer.is_full:
            writer.end_page()


def _texts(rows: Iterable[Iterable[Any]]) -> Iterator[list[str]]:
    cells = 0
    for row in rows:
        texts = [_text(value) for value in row]
        cells += len(texts)
        if cells > _MAX_CELLS:
            raise TooComplexError(f"A sheet has more than {_MAX_CELLS:,} cells.")
        while texts and not texts[-1]:
            texts.pop()
        yield texts


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        is_day = value.time() == time()
        return value.date().isoformat() if is_day else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return " ".join(str(value).split())


def _xls_row(sheet: Any, index: int, date_mode: int) -> list[Any]:
    import xlrd

    values: list[Any] = []
    for cell in sheet.row(index):
        if cell.ctype == xlrd.XL_CELL_DATE:
            values.append(_xls_date(cell.value, _xls_format(sheet.book, cell), date_mode))
        elif cell.ctype == xlrd.XL_CELL_NUMBER:
            values.append(number(cell.value, _xls_format(sheet.book, cell)))
        elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
            values.append(bool(cell.value))
        elif cell.ctype == xlrd.XL_CELL_ERROR:
            values.append(xlrd.error_text_from_code.get(cell.value, ""))
        else:
            values.append(cell.value)
    return values


def _xls_format(book: Any, cell: Any) -> str:
    return str(book.format_map[book.xf_list[cell.xf_index].format_key].format_str)


def _xls_date(value: float, code: str, date_mode: int) -> str:
    import xlrd

    try:
        return moment(xlrd.xldate_as_datetime(value, date_mode), code)
    except (ValueError, OverflowError):
        return _text(value)  # formatted as a date, but no day of any calendar
