"""Parts of Office, OpenDocument and EPUB packages: safe XML, and what a document says of itself."""

import zipfile
from typing import TYPE_CHECKING

from documents.errors import CorruptError
from processing.extraction.text import clean

if TYPE_CHECKING:
    from lxml.etree import _Element

_PROPERTIES = {
    "title": "title",
    "creator": "author",
    "initial-creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "keyword": "keywords",
    "created": "created",
    "creation-date": "created",
    "modified": "modified",
}
# What Office writes when nobody gave a title.
_NO_TITLES = frozenset(
    {"powerpoint presentation", "presentation", "word document", "document", "untitled"}
)
_MAX_PROPERTY_CHARACTERS = 1000


def parse_xml(data: bytes) -> "_Element":
    """Parse one part without entities, DTD, network or excessive depth; CorruptError if broken."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as exc:
        raise CorruptError("The document is damaged: a part of it is not valid XML.") from exc


def local(element: "_Element") -> str:
    """Return an element's name without namespace, in which strict and usual Office differ."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: "_Element", name: str) -> str:
    """Return an attribute by its name without namespace, or ""."""
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return ""


def properties(package: zipfile.ZipFile, part: str) -> dict[str, str]:
    """Return title, author, dates and keywords from a metadata part; empty if there is none."""
    if part not in package.namelist():
        return {}
    found: dict[str, str] = {}
    for element in parse_xml(package.read(part)).iter():
        name = _PROPERTIES.get(local(element), "")
        value = clean(element.text or "").strip()[:_MAX_PROPERTY_CHARACTERS]
        if name and value and name not in found:
            found[name] = value
    if found.get("title", "").lower() in _NO_TITLES:
        del found["title"]
    return found
