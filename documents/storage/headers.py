"""The HTTP headers of a download: disposition, ranges and entity tags, as pure functions."""

import re
import unicodedata
from urllib.parse import quote

from documents.errors import RangeNotSatisfiableError

# Only raster images may be shown in place: SVG and HTML can carry scripts.
INLINE_TYPES = frozenset({"image/webp", "image/png", "image/jpeg"})
# What is shown in place is made by us and never changes under its key.
INLINE_CACHE = "private, max-age=31536000, immutable"

# Characters that reorder text could make "exe.pdf" out of "fdp.exe".
_REORDERING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_RANGE = re.compile(r"bytes=\s*([0-9]{0,19})-([0-9]{0,19})\s*", re.IGNORECASE)


def content_disposition(filename: str, content_type: str, *, inline: bool) -> str:
    """Name the download in ASCII for old clients and in UTF-8 for all others.

    Inline only where that was asked for and the type cannot run anything.
    https://www.rfc-editor.org/rfc/rfc6266#section-4
    """
    kind = "inline" if inline and content_type in INLINE_TYPES else "attachment"
    name = "".join(_replaced(character) for character in filename) or "document"
    decomposed = unicodedata.normalize("NFKD", name)
    stripped = "".join(c for c in decomposed if not unicodedata.combining(c))
    # A percent sign would be decoded by some clients, a quote or backslash ends the string.
    fallback = re.sub(r"[^\x20-\x7e]|[\"\\%/]", "_", stripped)
    return f"{kind}; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"


def byte_range(header: str | None, size: int) -> range | None:
    """Return the one range of bytes asked for, or None to send the whole object.

    Anything but a single well-formed byte range is ignored, as the RFC allows.
    Raises RangeNotSatisfiableError if the range begins after the end.
    https://www.rfc-editor.org/rfc/rfc9110#section-14
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if not first:
        wanted = range(max(size - int(last), 0), size)
    else:
        wanted = range(int(first), min(int(last) + 1, size) if last else size)
        if last and int(last) < int(first):
            return None
    if not wanted:
        raise RangeNotSatisfiableError(f"The object has {size} bytes.", size=size)
    return wanted


def matches_etag(header: str | None, etag: str) -> bool:
    """Tell whether If-None-Match names this entity tag (without quotes), weakly compared."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or f'"{etag}"' in tags


def _replaced(character: str) -> str:
    unsafe = unicodedata.category(character) in _UNSAFE or character in _REORDERING
    return "_" if unsafe or character in "/\\" else character
