"""Turn the rows of a table into lines that can be read, embedded and found one by one."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

_NUMBER = re.compile(r"^[^\w\s]?\s?-?[\d.,:/% -]*\d[\d.,:/% -]*\s?[^\w\s]?$")
# Enough rows to see whether a column holds figures under a word.
_LOOK_AHEAD = 20
_MAX_LABEL_CHARACTERS = 60
# Of words over words, fewer rows could as well be two columns of a list.
_MIN_ROWS = 2
# In a wider table the labels would outweigh the values.
_MAX_LABELLED_COLUMNS = 64


IsHeader = Callable[[list[str], list[list[str]]], bool]


def header_of_figures(first: list[str], below: list[list[str]]) -> bool:
    """Whether the first row names columns for sure: words only, over some column of figures."""
    return _names_columns(first, below) and any(
        _holds_figures(below, column) for column, cell in enumerate(first) if cell
    )


def header_of_data(first: list[str], below: list[list[str]]) -> bool:
    """Whether the first row names the columns of a data set, in which all may be words.

    Then it has a name for each column that is used, none of them occurs below, and there
    are rows enough to tell.
    """
    if header_of_figures(first, below):
        return True
    width = max((len(row) for row in below), default=0)
    is_full = len(first) >= width and all(first)
    is_apart = not any(cell in row for row in below for cell in first)
    return is_full and is_apart and len(below) >= _MIN_ROWS and _names_columns(first, below)


def lines_of(rows: Iterable[list[str]], is_header: IsHeader = header_of_figures) -> Iterator[str]:
    """Yield one line per row that is not empty, and "" between blocks of rows.

    Under a header that is sure to be one, a row reads "Team: Mayors; Cups: 1", so
    that it still means something when it is found alone. Every other row is its
    cells, joined by tabs.
    """
    stream = iter(rows)
    while block := _next_block(stream):
        first, rest = block
        if _is_caption(first):
            yield first[0]
            first = next(rest, [])
        head = list(islice(rest, _LOOK_AHEAD))
        labels = first if is_header(first, head) else []
        yield "\t".join(first)
        for row in head:
            yield _line(row, labels)
        for row in rest:
            yield _line(row, labels)
        yield ""


def _is_caption(row: list[str]) -> bool:
    return bool(row[0]) and not any(row[1:])


def _next_block(stream: Iterator[list[str]]) -> tuple[list[str], Iterator[list[str]]] | None:
    """Skip empty rows; return the first row of the next block and the rows up to its end."""
    for row in stream:
        if any(row):
            return row, _until_empty(stream)
    return None


def _until_empty(stream: Iterator[list[str]]) -> Iterator[list[str]]:
    for row in stream:
        if not any(row):
            return
        yield row


def _line(row: list[str], labels: list[str]) -> str:
    if not labels:
        return "\t".join(row).rstrip("\t")
    cells = [
        f"{labels[i]}: {cell}" if i < len(labels) and labels[i] else cell
        for i, cell in enumerate(row)
        if cell
    ]
    return "; ".join(cells)


def _names_columns(first: list[str], below: list[list[str]]) -> bool:
    """Whether the cells could name columns: words only, short, and each once."""
    labels = [cell for cell in first if cell]
    if not below or not 2 <= len(labels) <= _MAX_LABELLED_COLUMNS or len({*labels}) < len(labels):
        return False
    return not any(len(label) > _MAX_LABEL_CHARACTERS or _NUMBER.match(label) for label in labels)


def _holds_figures(rows: list[list[str]], column: int) -> bool:
    cells = [row[column] for row in rows if column < len(row) and row[column]]
    figures = sum(1 for cell in cells if _NUMBER.match(cell))
    return figures * 2 > len(cells)
