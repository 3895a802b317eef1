"""Paths of documents inside a drop: relative, normalised, harmless."""

import unicodedata

from documents.errors import InvalidPathError

MAX_PATH_CHARACTERS = 1024
# What fits into one entry of an index beside two ids.
MAX_PATH_BYTES = 2_500
# What most file systems allow for one name.
MAX_SEGMENT_BYTES = 255


def normalise(path: str) -> str:
    """Return `path` in NFC, or raise InvalidPathError with the rule it breaks."""
    path = unicodedata.normalize("NFC", path)
    shown = path.encode("unicode_escape").decode()[:80]
    if not path:
        raise InvalidPathError("The path is empty.")
    if len(path) > MAX_PATH_CHARACTERS:
        raise InvalidPathError(
            f"The path {shown}… is {len(path)} characters long; the limit is {MAX_PATH_CHARACTERS}."
        )
    if len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES:
        raise InvalidPathError(f"The path {shown}… is longer than {MAX_PATH_BYTES} bytes of UTF-8.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in path):
        raise InvalidPathError(f"The path {shown} contains a control character.")
    if "\\" in path:
        raise InvalidPathError(f"The path {shown} contains a backslash; use forward slashes.")
    if path.startswith("/"):
        raise InvalidPathError(f"The path {shown} is absolute; it must be relative to the drop.")
    for segment in path.split("/"):
        _check_segment(segment, shown)
    return path


def split(path: str) -> tuple[str, str]:
    """Return the folder ("" at the top) and the name."""
    folder, _, name = path.rpartition("/")
    return folder, name


def _check_segment(segment: str, shown: str) -> None:
    if not segment.strip() or segment in {".", ".."}:
        raise InvalidPathError(f"The path {shown} has an empty, '.' or '..' part.")
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        raise InvalidPathError(
            f"The path {shown} has a part of {len(segment.encode())} bytes; "
            f"the limit is {MAX_SEGMENT_BYTES}."
        )
