"""Which reader reads which type, and what a person reads when one fails."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from documents.errors import (
    CorruptError,
    EmptyDocumentError,
    SluiceError,
    TooComplexError,
    UnsupportedError,
)
from processing.extraction import media_types as types
from processing.extraction.encryption import refuse_encrypted
from processing.extraction.language import detect_language
from processing.extraction.limits import check_characters
from processing.extraction.pages import Extraction
from processing.extraction.readers import (
    book,
    delimited,
    image,
    legacy,
    mail,
    opendocument,
    partitioned,
    pdf,
    plain,
    records,
    web,
    word,
    workbook,
    xml,
)
from processing.extraction.source import Reader, Source

SUPPORTED: Mapping[str, Reader] = MappingProxyType(
    {
        types.PDF: pdf.read,
        types.DOCX: word.read,
        types.PPTX: partitioned.read_slides,
        types.XLSX: workbook.read_xlsx,
        types.XLSM: workbook.read_xlsx,
        types.DOC: legacy.read_doc,
        types.PPT: legacy.read_ppt,
        types.XLS: workbook.read_xls,
        **dict.fromkeys((types.ODT, types.ODS, types.ODP), opendocument.read),
        types.EPUB: book.read,
        types.RTF: partitioned.read_rich_text,
        types.HTML: web.read,
        types.XML: xml.read,
        types.JSON: records.read_json,
        types.NDJSON: records.read_lines,
        types.CSV: delimited.read,
        types.TSV: delimited.read,
        types.EML: mail.read_eml,
        types.MSG: mail.read_msg,
        types.TEXT: plain.read,
        types.MARKDOWN: plain.read,
        types.RST: plain.read,
        types.ORG: plain.read,
        **dict.fromkeys(types.CODE, plain.read),
        **dict.fromkeys(types.IMAGES, image.read),
    }
)
_MACHINE_ERRORS = frozenset(
    {errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}
)
_OFFICE = frozenset(
    {types.DOCX, types.PPTX, types.XLSX, types.XLSM, types.DOC, types.PPT, types.XLS}
)


def is_supported(media_type: str) -> bool:
    """Whether documents of this type are taken in; some need a program that may be missing."""
    return media_type in SUPPORTED or media_type in types.ARCHIVES


def extract(path: Path, media_type: str, name: str) -> Extraction:
    """Read a document; `media_type` is what `detect` returned, `name` is what it is called.

    Raises EmptyDocumentError, EncryptedError, CorruptError, UnsupportedError or
    TooComplexError, each with a sentence for the person whose document it is.
    """
    if path.stat().st_size == 0:
        raise EmptyDocumentError("The document is empty.")
    reader = SUPPORTED.get(media_type)
    if reader is None:
        raise UnsupportedError(_unsupported(media_type), media_type=media_type)
    with _parser_errors():
        if media_type in _OFFICE:
            refuse_encrypted(path)
        extraction = reader(Source(path, media_type, name))
    return _finished(extraction)


def _unsupported(media_type: str) -> str:
    if media_type == types.UNKNOWN:
        return "The content of this document is of no known kind."
    return f"Documents of the type {media_type} cannot be read."


@contextmanager
def _parser_errors() -> Iterator[None]:
    """Translate whatever a parser raises: on malformed input they raise anything at all.

    What concerns the machine and not the document goes on as it is: whoever set the
    limits of this process knows what to say of them.
    """
    try:
        yield
    except (SluiceError, MemoryError):
        raise
    except RecursionError as exc:
        raise TooComplexError("The document is nested too deeply to be read.") from exc
    except Exception as exc:
        if isinstance(exc, OSError) and exc.errno in _MACHINE_ERRORS:
            raise
        raise CorruptError("The document is damaged and cannot be read.") from exc


def _finished(extraction: Extraction) -> Extraction:
    check_characters(sum(len(page.text) for page in extraction.pages))
    detected = detect_language(extraction.pages)
    metadata = dict(extraction.metadata)
    if not any(page.text for page in extraction.pages):
        metadata["text"] = "none"
    return replace(extraction, language=detected or extraction.language, metadata=metadata)
