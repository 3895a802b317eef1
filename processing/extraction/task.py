"""What a sandboxed child is asked to do: plain JSON types in, plain JSON types out."""

import importlib
from pathlib import Path
from typing import Any

from processing.extraction import members
from processing.extraction.detection import detect, load_model
from processing.extraction.entries import Allowed
from processing.extraction.offline import prepare
from processing.extraction.reading import extract, is_supported
from processing.extraction.readings import Wanted, recognise_pages

_PARSERS = (
    *("charset_normalizer", "langdetect", "lxml.etree", "lxml.html", "pypdfium2"),
    *("openpyxl", "xlrd", "olefile", "msoffcrypto", "oxmsg", "pptx", "pypandoc"),
    *("unstructured.partition.pptx", "unstructured.partition.rtf"),
)


def detect_type(path: str, name: str) -> dict[str, Any]:
    """Return the media type of a document by its content, and whether it can be taken in."""
    media_type = detect(Path(path), name)
    return {"media_type": media_type, "is_supported": is_supported(media_type)}


def read(path: str, name: str, media_type: str) -> dict[str, Any]:
    """Return an `Extraction` as JSON; raises the errors of `extract`."""
    return extract(Path(path), media_type, name).to_json()


def recognise(
    path: str,
    media_type: str,
    numbers: list[int],
    engine: str,
    languages: list[str],
    seconds: float,
    before: list[str],
) -> dict[str, Any]:
    """Return what `Readings` of pages say as JSON; raises the errors of `recognise_pages`."""
    wanted = Wanted(engine, tuple(languages), seconds, tuple(before))
    return recognise_pages(Path(path), media_type, numbers, wanted).to_json()


def list_members(path: str, name: str, media_type: str, allowed: dict[str, int]) -> dict[str, Any]:
    """Return the `Contents` of an archive as JSON; raises the errors of `members`."""
    return members.list_members(Path(path), media_type, Allowed(**allowed), name).to_json()


def unpack(
    path: str, media_type: str, wanted: dict[str, int], allowed: dict[str, int]
) -> dict[str, Any]:
    """Write members of an archive into the working directory, each named by its number."""
    sizes = {int(number): size for number, size in wanted.items()}
    members.unpack(Path(path), media_type, sizes, Path.cwd(), Allowed(**allowed))
    return {"unpacked": len(sizes)}


def warm_up() -> None:
    """Import every parser and load every model, so that children forked later have them."""
    prepare()
    for name in _PARSERS:
        importlib.import_module(name)
    load_model()
    _load_language_profiles()


def _load_language_profiles() -> None:
    from langdetect.detector_factory import init_factory

    init_factory()
