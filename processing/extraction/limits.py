"""How much of a document is read. Beyond a limit it is refused whole, never cut silently."""

from documents.errors import TooComplexError

MAX_TEXT_CHARACTERS = 50_000_000
MAX_TEXT_BYTES = 4 * MAX_TEXT_CHARACTERS  # no encoding needs more for a character
MAX_PAGES = 20_000
# A file of a few hundred bytes can promise more than any machine holds. Cameras reach 200.
MAX_MEGAPIXELS = 250

MAX_ENTRIES = 20_000
MAX_ENTRY_BYTES = 512 * 1024**2
MAX_INFLATED_BYTES = 1024**3
# Deflate cannot exceed 1,032; a sheet of zeros comes near 100. Small entries may do as they like.
MAX_RATIO = 200
RATIO_FREE_BYTES = 8 * 1024**2


def check_text_bytes(size_bytes: int) -> None:
    """Raise TooComplexError before a text is loaded that is too long to be read."""
    if size_bytes > MAX_TEXT_BYTES:
        raise TooComplexError(
            f"The document is {size_bytes // 1024**2} MiB of text; the limit is"
            f" {MAX_TEXT_BYTES // 1024**2} MiB."
        )


def check_characters(count: int) -> None:
    """Raise TooComplexError when a document gave more text than is kept."""
    if count > MAX_TEXT_CHARACTERS:
        raise TooComplexError(
            f"The document holds more than {MAX_TEXT_CHARACTERS:,} characters of text."
        )


def check_pages(count: int) -> None:
    """Raise TooComplexError when a document has more pages than are read."""
    if count > MAX_PAGES:
        raise TooComplexError(f"The document has {count:,} pages; the limit is {MAX_PAGES:,}.")


def check_pixels(width: int, height: int) -> None:
    """Raise TooComplexError before an image is decoded that has more pixels than are read."""
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise TooComplexError(
            f"The image is {width:,} × {height:,} pixels, {width * height // 1_000_000:,}"
            f" megapixels; the limit is {MAX_MEGAPIXELS}."
        )
