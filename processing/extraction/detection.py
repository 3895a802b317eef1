"""What a document really is, by its content.

Signatures decide where a format has one, because a signature cannot be unsure;
then whether it is text at all; then the content model `magika` (its weights come
with the package). The suffix only separates kinds of text that nothing else can.
"""

import re
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from processing.extraction import media_types
from processing.extraction.cms import is_armoured, is_cms
from processing.extraction.containers import OLE_MAGIC, ZIP_MAGIC, ole_type, tar_type, zip_type
from processing.extraction.text import decode, looks_like_text

if TYPE_CHECKING:
    from magika import Magika

_SAMPLE_BYTES = 65_536
# Readers find the header anywhere in the first 1,024 bytes (ISO 32000, annex H.3.4.1).
_PDF_WITHIN = 1024
_SIGNATURES = (
    (b"{\\rtf", media_types.RTF),
    (b"\x89PNG\r\n\x1a\n", media_types.PNG),
    (b"\xff\xd8\xff", media_types.JPEG),
    (b"GIF87a", media_types.GIF),
    (b"GIF89a", media_types.GIF),
    (b"II*\x00", media_types.TIFF),
    (b"MM\x00*", media_types.TIFF),
)
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}
_MAIL_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):(?:\s|$)")
_MAIL_NAMES = {
    *("from", "to", "cc", "date", "subject", "message-id", "mime-version", "received"),
    *("return-path", "reply-to", "delivered-to", "content-type", "sender", "in-reply-to"),
}
# Fewer could be the head of a letter, a transcript or front matter.
_MIN_MAIL_HEADERS = 4
_SURE = 0.9
_LABELS_WITH_SIGNATURE = frozenset(
    {"pdf", "docx", "pptx", "xlsx", "doc", "ppt", "xls", "odt", "epub", "rtf", "outlook"}
    | {"png", "jpeg", "gif", "webp", "tiff", "bmp", "zip", "tar"}
)
_ROOTS = {"html": media_types.HTML, "svg": media_types.SVG}
_ROOT_ELEMENT = re.compile(r"<([a-z_][\w.:-]*)")


def detect(path: Path, name: str) -> str:
    """Return the media type of a document; `application/octet-stream` when it is none we know."""
    with path.open("rb") as stream:
        sample = stream.read(_SAMPLE_BYTES)
    suffix = PurePath(name).suffix.lower()
    if not sample:
        return media_types.EMPTY
    return _by_signature(path, sample, suffix) or _by_content(path, sample, suffix)


def _by_signature(path: Path, sample: bytes, suffix: str) -> str:
    if sample.startswith(ZIP_MAGIC):
        return zip_type(path, suffix)
    if sample.startswith(OLE_MAGIC):
        return ole_type(path, suffix)
    if tar := tar_type(path, sample, suffix):
        return tar
    if is_cms(sample):
        return media_types.CMS
    if _is_pdf(sample, suffix):
        return media_types.PDF
    return _picture_or_rich_text(path, sample)


def _picture_or_rich_text(path: Path, sample: bytes) -> str:
    for signature, media_type in _SIGNATURES:
        if sample.startswith(signature):
            return media_type
    if sample.startswith(b"RIFF") and sample[8:12] == b"WEBP":
        return media_types.WEBP
    if sample[4:8] == b"ftyp" and sample[8:12] in _HEIC_BRANDS:
        return media_types.HEIC
    if sample.startswith(b"BM") and int.from_bytes(sample[2:6], "little") == path.stat().st_size:
        return media_types.BMP
    return ""


def _is_pdf(sample: bytes, suffix: str) -> bool:
    if sample.lstrip().startswith(b"%PDF-"):
        return True
    # A script may mention the header in its first lines without being one.
    return b"%PDF-" in sample[:_PDF_WITHIN] and suffix not in media_types.TEXT_SUFFIXES


def _by_content(path: Path, sample: bytes, suffix: str) -> str:
    if looks_like_text(sample):
        return _text_type(path, decode(sample).lstrip("\ufeff \t\r\n"), suffix)
    label, media_type, _ = _ask_model(path)
    # Only formats with a signature are read, and those were recognised above: a guess that
    # says PDF for bytes without a header would send noise to a parser.
    is_ours = label in _LABELS_WITH_SIGNATURE or media_type.startswith("text/")
    return media_types.UNKNOWN if is_ours or not media_type else media_type


def _text_type(path: Path, text: str, suffix: str) -> str:
    if is_armoured(text):
        return media_types.CMS
    if marked := _marked_up(text):
        # Mark-up is no accident, except where the suffix names a text that may hold it.
        return media_types.CODE_SUFFIXES.get(suffix, marked)
    if suffix in {"", ".txt", ".text"} and _is_mail(text):
        return media_types.EML
    if suffix in media_types.TEXT_SUFFIXES:
        return media_types.TEXT_SUFFIXES[suffix]
    if _is_mail(text):
        return media_types.EML
    label, _, score = _ask_model(path)
    if score < _SURE:
        return media_types.TEXT
    return media_types.TEXT_LABELS.get(label, media_types.TEXT)


def _marked_up(text: str) -> str:
    head = text[:4096].lower()
    while head.startswith("<!--") and "-->" in head:
        head = head.split("-->", 1)[1].lstrip()
    if head.startswith(("<!doctype html", "<html")):
        return media_types.HTML
    is_xml = head.startswith("<?xml")
    if not is_xml and not head.startswith("<svg"):
        return ""
    root = _ROOT_ELEMENT.search(head)
    return _ROOTS.get(root[1] if root else "", media_types.XML)


def _is_mail(text: str) -> bool:
    """Whether the text opens with a block of mail headers (RFC 5322)."""
    names: set[str] = set()
    for line in text.splitlines()[:200]:
        if line[:1] in {" ", "\t"} and names:
            continue
        header = _MAIL_HEADER.match(line)
        if not header:
            break
        names.add(header[1].lower())
    known = names & _MAIL_NAMES
    return len(known) >= _MIN_MAIL_HEADERS and "from" in known


def _ask_model(path: Path) -> tuple[str, str, float]:
    """Return the content model's label, media type and how sure it is."""
    result = load_model().identify_path(path)
    return str(result.output.label), result.output.mime_type, result.score


@cache
def load_model() -> "Magika":
    """Load the content model once per process."""
    # Late: an ONNX session is something that only a child should pay for.
    import onnxruntime
    from magika import Magika

    class OneThreadMagika(Magika):
        """A model that survives a fork: threads of a pool would not be there in the child."""

        def _init_onnx_session(self) -> Any:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            path = str(self._model_path)
            return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    return OneThreadMagika()
