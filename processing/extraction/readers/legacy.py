"""Read the Word and PowerPoint formats from before 2007, through LibreOffice."""

import tempfile
from dataclasses import replace
from pathlib import Path

from documents.errors import CorruptError, UnsupportedError
from processing.extraction import libreoffice, media_types
from processing.extraction.pages import Extraction
from processing.extraction.readers import partitioned, word
from processing.extraction.source import Source

_CONVERT_SECONDS = 240


def read_doc(source: Source) -> Extraction:
    """Read a Word document of the format before 2007, where LibreOffice is installed."""
    with tempfile.TemporaryDirectory() as folder:
        return word.read(_converted(source, Path(folder), suffix="docx"))


def read_ppt(source: Source) -> Extraction:
    """Read a presentation of the format before 2007, where LibreOffice is installed."""
    with tempfile.TemporaryDirectory() as folder:
        return partitioned.read_slides(_converted(source, Path(folder), suffix="pptx"))


def _converted(source: Source, folder: Path, *, suffix: str) -> Source:
    kind = "doc" if source.media_type == media_types.DOC else "ppt"
    if not libreoffice.can_convert(source.media_type):
        raise UnsupportedError(
            f"Reading .{kind} files needs LibreOffice, which is not installed here.",
            program="LibreOffice",
        )
    result = libreoffice.converted(
        source.path, source.media_type, suffix, folder, seconds=_CONVERT_SECONDS
    )
    if result is None:
        raise CorruptError(f"LibreOffice could not read this .{kind} file.")
    return replace(source, path=result)
