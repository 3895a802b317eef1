"""Tell Office documents that ask for a password, before a reader stumbles over them."""

from pathlib import Path

from documents.errors import EncryptedError


def refuse_encrypted(path: Path) -> None:
    """Raise EncryptedError for an Office document, old or new, that asks for a password."""
    import msoffcrypto
    from msoffcrypto.exceptions import FileFormatError

    with path.open("rb") as stream:
        try:
            is_encrypted = msoffcrypto.OfficeFile(stream).is_encrypted()
        except (FileFormatError, OSError, ValueError, IndexError, TypeError, AttributeError):
            return  # not an Office document it knows; the reader says what is wrong with it
    if is_encrypted:
        raise EncryptedError("The document is protected by a password.")
