"""Read tables in text form: values separated by commas, semicolons, tabs or bars."""

import csv
from collections import Counter
from collections.abc import Iterator
from io import StringIO

from processing.extraction import media_types
from processing.extraction.pages import Extraction, PageWriter, split_pages
from processing.extraction.readers.rows import header_of_data, lines_of
from processing.extraction.source import Source
from processing.extraction.text import clean

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_LINES = 50
_MAX_FIELD_CHARACTERS = 10_000_000


def read(source: Source) -> Extraction:
    """Read a CSV or TSV document as one line of text per row."""
    text = clean(source.read_text())
    delimiter = "\t" if source.media_type == media_types.TSV else _delimiter(text)
    writer = PageWriter()
    try:
        for line in lines_of(_rows(text, delimiter), header_of_data):
            writer.add(line, separator="\n")
            if writer.is_full:
                writer.end_page()
    except csv.Error:
        # Not a table after all: what was written is still there to be read and found.
        return Extraction(pages=split_pages(text.rstrip()))
    return Extraction(pages=writer.finish())


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    for row in csv.reader(StringIO(text, newline=""), delimiter=delimiter):
        yield [" ".join(cell.split()) for cell in row]


def _delimiter(text: str) -> str:
    """Choose the delimiter that cuts most of the first lines to the same number of cells."""
    lines = [line for line in text[:100_000].splitlines() if line.strip()][:_SAMPLE_LINES]
    return max(_DELIMITERS, key=lambda delimiter: _agreement(lines, delimiter))


def _agreement(lines: list[str], delimiter: str) -> float:
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return 0.0
    width, count = max(widths.items(), key=lambda pair: (pair[1], pair[0]), default=(0, 0))
    return count / len(lines) if width > 1 else 0.0
