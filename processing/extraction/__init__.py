"""From the bytes of a document to its text by page. No Django, no database, no network."""

from processing.extraction.detection import detect
from processing.extraction.pages import Extraction, Heading, Page
from processing.extraction.reading import SUPPORTED, extract, is_supported

__all__ = ["SUPPORTED", "Extraction", "Heading", "Page", "detect", "extract", "is_supported"]
