"""Read XML of any vocabulary: running text as it runs, values as "name: value"."""

import re
from typing import TYPE_CHECKING, Any

from documents.errors import CorruptError
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.package import local
from processing.extraction.source import Source

if TYPE_CHECKING:
    from lxml.etree import _Element

_PROSE = frozenset({"p", "para", "paragraph", "li", "seg", "line", "text", "description", "body"})
_HEADINGS = frozenset({"title", "heading", "head"})
_NOT_TEXT = frozenset({"class", "style", "space", "schemaLocation"})
_MAX_VALUE_CHARACTERS = 100


def read(source: Source) -> Extraction:
    """Read an XML document without resolving entities, loading a DTD or opening a connection."""
    root, metadata = _parse(source.read_bytes())
    writer = PageWriter()
    _write(root, writer)
    pages = writer.finish()
    title = pages[0].headings[0].text if pages[0].headings else ""
    return Extraction(pages=pages, title=title, metadata=metadata)


def _parse(data: bytes) -> tuple["_Element", dict[str, str]]:
    from lxml import etree

    try:
        return etree.fromstring(data, _parser(recover=False)), {}
    except etree.XMLSyntaxError as exc:
        root = etree.fromstring(data, _parser(recover=True))
        if root is None:
            raise CorruptError("The document is damaged: it is not XML.") from exc
        return root, {"note": "not well-formed XML"}


def _parser(*, recover: bool) -> Any:
    from lxml import etree

    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=recover,
        remove_comments=True,
        remove_pis=True,
    )


def _write(root: "_Element", writer: PageWriter) -> None:
    from lxml import etree

    # A blank line where an element of elements begins keeps the values of a record together.
    separator = "\n\n"
    walker = etree.iterwalk(root, events=("start",))
    for _, element in walker:
        if not isinstance(element.tag, str):
            continue
        name = local(element)
        block = _attributes(element, name)
        if len(element) == 0:
            block = _joined(block, _leaf(element, name, writer))
        elif _is_running_text(element):
            block = _joined(block, _running_text(element))
            walker.skip_subtree()
        else:
            separator = "\n\n"
        if block:
            writer.add(block, separator="\n\n" if len(block) > _MAX_VALUE_CHARACTERS else separator)
            separator = "\n"
        if writer.is_full:
            writer.end_page()


def _joined(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def _attributes(element: "_Element", name: str) -> str:
    values = [
        f"{attribute}: {value}"
        for attribute, value in element.attrib.items()
        if not attribute.startswith("{") and attribute not in _NOT_TEXT and value.strip()
    ]
    return f"{name} {', '.join(values)}" if values else ""


def _leaf(element: "_Element", name: str, writer: PageWriter) -> str:
    """Return the text of an element without children; a heading is written at once."""
    text = _collapse(element.text)
    if name.lower() in _HEADINGS:
        writer.add_heading(text)
        return ""
    is_value = text and name.lower() not in _PROSE and len(text) <= _MAX_VALUE_CHARACTERS
    return f"{name}: {text}" if is_value else text


def _is_running_text(element: "_Element") -> bool:
    """Whether words stand between the children: then these only mark up parts of a sentence."""
    return bool(_collapse(element.text)) or any(_collapse(child.tail) for child in element)


def _running_text(element: "_Element") -> str:
    # Not string(): libxml2 would expand the entities that were left unresolved.
    parts = [element.text]
    for inner in element.iterdescendants():
        parts += [inner.text if isinstance(inner.tag, str) else "", inner.tail]
    return _collapse("".join(part or "" for part in parts))


def _collapse(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()
