"""Which engine reads the pages, of those that are here."""

import shutil
from collections.abc import Sequence

from documents.errors import UnsupportedError
from processing.extraction.recognition.engine import Engine

AUTO, TESSERACT, RAPIDOCR, OFF = "auto", "tesseract", "rapidocr", "off"
ENGINES = (AUTO, TESSERACT, RAPIDOCR, OFF)


def engine_name(wanted: str) -> str:
    """Return which engine is used; Tesseract where it is installed, unless another is wanted.

    Raises UnsupportedError when the wanted one is missing.
    """
    is_here = shutil.which(TESSERACT) is not None
    if wanted == TESSERACT and not is_here:
        raise UnsupportedError(
            "Reading scans needs Tesseract, which is not installed here.", program="Tesseract"
        )
    if wanted == AUTO:
        return TESSERACT if is_here else RAPIDOCR
    return wanted


def engine_for(wanted: str, languages: Sequence[str]) -> Engine:
    """Return the engine, ready to read in those of the languages that it knows."""
    # Each loads what only it needs, and only where it is used.
    if engine_name(wanted) == TESSERACT:
        from processing.extraction.recognition.tesseract import Tesseract

        return Tesseract(languages)
    from processing.extraction.recognition.rapid import Rapid

    return Rapid()


def tesseract_version() -> str:
    """Return what Tesseract calls itself, like "tesseract 5.3.0"."""
    from processing.extraction.recognition.tesseract import version

    return version()


def available_languages() -> tuple[str, ...]:
    """Return the languages that Tesseract has data for; none without it."""
    from processing.extraction.recognition.tesseract import installed_languages

    return installed_languages() if shutil.which(TESSERACT) else ()
