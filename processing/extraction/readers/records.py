"""Read JSON as lines of "name: value": what people search for, without braces and escapes."""

import json
from collections.abc import Iterator
from typing import Any

from documents.errors import TooComplexError
from processing.extraction.pages import Extraction, PageWriter, split_pages
from processing.extraction.source import Source
from processing.extraction.text import clean

_INDENT = "  "
_MAX_DEPTH = 100


def read_json(source: Source) -> Extraction:
    """Read a JSON document; one that does not parse is read as the text it is."""
    text = clean(source.read_text())
    try:
        data = json.loads(text)
    except RecursionError as exc:
        raise TooComplexError("The document nests values too deeply to be read.") from exc
    except ValueError:
        return _as_text(text)
    return Extraction(pages=_pages(data if isinstance(data, list) else [data]))


def read_lines(source: Source) -> Extraction:
    """Read newline-delimited JSON, one record a line; a line that does not parse stays as it is."""
    text = clean(source.read_text())
    records = (_record(line) for line in text.splitlines() if line.strip())
    return Extraction(pages=_pages(records))


def _as_text(text: str) -> Extraction:
    return Extraction(pages=split_pages(text.rstrip()), metadata={"note": "not valid JSON"})


def _record(line: str) -> Any:
    try:
        return json.loads(line)
    except RecursionError as exc:
        raise TooComplexError("The document nests values too deeply to be read.") from exc
    except ValueError:
        return line.strip()


def _pages(records: Any) -> Any:
    writer = PageWriter()
    for record in records:
        writer.add("\n".join(_lines(record, depth=0)))
        if writer.is_full:
            writer.end_page()
    return writer.finish()


def _lines(value: Any, *, depth: int, name: str = "") -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise TooComplexError("The document nests values too deeply to be read.")
    indent = _INDENT * depth
    label = f"{indent}{name}: " if name else indent
    if isinstance(value, dict):
        yield from _members(value, label, depth=depth, is_named=bool(name))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        if name:
            yield label.rstrip()
        for item in value:
            yield from _lines(item, depth=depth + bool(name))
    elif isinstance(value, list):
        yield label + ", ".join(_scalar(item) for item in value)
    else:
        yield label + _scalar(value)


def _members(members: dict[str, Any], label: str, *, depth: int, is_named: bool) -> Iterator[str]:
    if is_named:
        yield label.rstrip()
    for key, value in members.items():
        yield from _lines(value, depth=depth + is_named, name=key)


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
