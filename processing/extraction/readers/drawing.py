"""Text that stands in drawings of Office documents: boxes, diagrams, charts, comments."""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from html import unescape
from typing import TYPE_CHECKING

from processing.extraction.readers.package import attribute, local, parse_xml

if TYPE_CHECKING:
    from lxml.etree import _Element

_TAIL_BYTES = 65_536
_RUNNING_HEAD = re.compile(
    r"<(?:\w+:)?(?:odd|even|first)(?:Header|Footer)(?: [^>]*)?>([^<]*)</(?:\w+:)?(?:odd|even|first)"
)
# ECMA-376, 18.3.1.46: place, font, size, colour, style, and fields such as the page number.
_HEAD_CODES = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|\d+|[A-Za-z])')


def paragraphs(root: "_Element") -> Iterator[str]:
    """Yield the paragraphs of a drawing, a diagram or a comment, and the series of a chart."""
    if local(root) == "chartSpace":
        yield from _chart(root)
        return
    for element in root.iter():
        # Comments of slides and of threads have their text without paragraphs.
        if local(element) == "text" and element.text:
            yield element.text
        elif local(element) == "p" or local(element) == "comment":
            yield "".join(each.text or "" for each in element.iter() if local(each) == "t")


def related(package: zipfile.ZipFile, part: str, *kinds: str) -> Iterator[str]:
    """Yield the names of the parts that `part` refers to as one of these kinds."""
    folder, _, name = part.rpartition("/")
    relations = f"{folder}/_rels/{name}.rels"
    names = set(package.namelist())
    if relations not in names:
        return
    for relation in parse_xml(package.read(relations)):
        if attribute(relation, "Type").rpartition("/")[2] not in kinds:
            continue
        target = attribute(relation, "Target")
        found = target.lstrip("/") if target[:1] == "/" else posixpath.join(folder, target)
        found = posixpath.normpath(found)
        if found in names:
            yield found


def running_heads(package: zipfile.ZipFile, part: str) -> Iterator[str]:
    """Yield the heads and feet that are printed on the pages of a sheet."""
    tail = b""
    # They stand at the end of a part that may be very long.
    with package.open(part) as stream:
        while block := stream.read(_TAIL_BYTES):
            tail = (tail + block)[-_TAIL_BYTES:]
    for found in _RUNNING_HEAD.findall(tail.decode("utf-8", "replace")):
        yield " ".join(_HEAD_CODES.sub(" ", unescape(found)).split())


def _chart(root: "_Element") -> Iterator[str]:
    """Yield the titles, then each series as "name: category value; category value"."""
    yield " ".join(each.text or "" for each in root.iter() if local(each) == "t")
    for series in root.iter():
        if local(series) != "ser":
            continue
        name = " ".join(_values(series, "tx"))
        points = zip(_values(series, "cat"), _values(series, "val"), strict=False)
        yield f"{name}: " + "; ".join(f"{category} {value}" for category, value in points)


def _values(series: "_Element", group: str) -> list[str]:
    return [
        value.text or ""
        for child in series
        if local(child) == group
        for value in child.iter()
        if local(value) == "v"
    ]
