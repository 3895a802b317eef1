"""Say why images give no text."""

from documents.errors import UnsupportedError
from processing.extraction.pages import Extraction
from processing.extraction.source import Source


def read(source: Source) -> Extraction:
    """Refuse an image with the reason."""
    raise UnsupportedError(
        "Images have no text layer; text recognition is not installed here.",
        media_type=source.media_type,
    )
