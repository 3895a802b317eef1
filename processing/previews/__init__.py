"""From a document to small images that show it. No Django, no database, no network."""

from processing.extraction import libreoffice
from processing.extraction import media_types as types


def is_pictured(media_type: str) -> bool:
    """Return whether the bytes of such a document are drawn; of others only words are."""
    return has_pages(media_type) or libreoffice.can_convert(media_type)


def has_pages(media_type: str) -> bool:
    """Return whether each page of such a document can be drawn: of its own bytes, that is."""
    return media_type in types.IMAGES or media_type == types.PDF
