"""From the picture of a page to its text: one interface, two engines."""

from processing.extraction.recognition.engine import NOTHING, Engine, Recognised
from processing.extraction.recognition.engines import (
    available_languages,
    engine_for,
    engine_name,
    tesseract_version,
)
from processing.extraction.recognition.raster import Raster

__all__ = [
    "NOTHING",
    "Engine",
    "Raster",
    "Recognised",
    "available_languages",
    "engine_for",
    "engine_name",
    "tesseract_version",
]
