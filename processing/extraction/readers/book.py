"""Read electronic books (epub), one page per part of the reading order."""

import posixpath
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import unquote

from documents.errors import CorruptError, EncryptedError
from processing.extraction.archives import open_package
from processing.extraction.pages import Extraction, PageWriter
from processing.extraction.readers.package import attribute, local, parse_xml, properties
from processing.extraction.readers.web import decode_html, write_html
from processing.extraction.source import Source

if TYPE_CHECKING:
    from lxml.etree import _Element

_CONTAINER = "META-INF/container.xml"
_RIGHTS = "META-INF/rights.xml"
_READABLE = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})


def read(source: Source) -> Extraction:
    """Read an epub of version 2 or 3."""
    with open_package(source.path) as package:
        if _RIGHTS in package.namelist():
            raise EncryptedError("The book is protected against copying.")
        root = _root_part(package)
        outline = parse_xml(package.read(root))
        metadata = properties(package, root)
        writer = PageWriter()
        for part in _reading_order(outline, posixpath.dirname(root)):
            if part in package.namelist():
                write_html(decode_html(package.read(part)), writer)
                writer.end_page()
    title = metadata.pop("title", "")
    return Extraction(pages=writer.finish(), title=title, metadata=metadata)


def _root_part(package: zipfile.ZipFile) -> str:
    for element in parse_xml(package.read(_CONTAINER)).iter():
        if local(element) == "rootfile" and attribute(element, "full-path"):
            return attribute(element, "full-path")
    raise CorruptError("The book is damaged: it does not say where its text is.")


def _reading_order(outline: "_Element", folder: str) -> list[str]:
    parts: dict[str, str] = {}
    order: list[str] = []
    for element in outline.iter():
        if local(element) == "item" and attribute(element, "media-type") in _READABLE:
            href = unquote(attribute(element, "href"))
            parts[attribute(element, "id")] = posixpath.normpath(posixpath.join(folder, href))
        elif local(element) == "itemref":
            order.append(attribute(element, "idref"))
    return [parts[key] for key in order if key in parts]
