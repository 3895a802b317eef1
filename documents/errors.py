"""Every refusal and failure Sluice can name, as one tree.

A class decides three things once: its `code` (what clients switch on), its
HTTP `status`, and whether trying again can help (`PermanentError` or
`TransientError`). Its `kind` says of what sort it is, from a short closed list. The
message is the sentence a person reads. This module imports nothing of ours, so that
parsers and stages may raise the same errors.
"""

from enum import StrEnum
from typing import Any, ClassVar


class Kind(StrEnum):
    """What sort of trouble an error is: few enough to count by, and to know what helps."""

    RATE_LIMIT = "rate_limit"
    NETWORK = "network"
    STORAGE = "storage"
    PROVIDER = "provider"
    INVALID = "invalid"
    UNSUPPORTED = "unsupported"
    ENCRYPTED = "encrypted"
    TOO_LARGE = "too_large"
    TOO_COMPLEX = "too_complex"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


class SluiceError(Exception):
    """A failure with a documented code and a sentence for the person it concerns."""

    code: ClassVar[str] = "internal"
    kind: ClassVar[Kind] = Kind.INTERNAL
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str = "", **details: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.details = details


class PermanentError(SluiceError):
    """Trying again with the same input cannot help."""


class TransientError(SluiceError):
    """Trying again later may help; `retry_after_seconds` says when, if known."""

    status = 503
    title = "Temporarily unavailable"

    def __init__(
        self, detail: str = "", *, retry_after_seconds: float | None = None, **details: Any
    ) -> None:
        super().__init__(detail, **details)
        self.retry_after_seconds = retry_after_seconds


# --- requests -----------------------------------------------------------------


class InvalidError(PermanentError):
    code, status, title = "invalid", 400, "The request is not valid"
    kind = Kind.INVALID


class InvalidPathError(InvalidError):
    code, title = "invalid_path", "This path cannot be used"


class EmptyDocumentError(InvalidError):
    code, title = "empty", "The document is empty"


class UnreadableError(InvalidError):
    code, title = "unreadable", "The bytes cannot be read where they are"


class WindowTooLargeError(InvalidError):
    code, status, title = "window_too_large", 400, "Too many documents in one request"


class LengthRequiredError(InvalidError):
    code, status, title = "length_required", 411, "The request does not say how long it is"


class NotFoundError(PermanentError):
    code, status, title = "not_found", 404, "There is nothing here"
    kind = Kind.INVALID


class PermissionDeniedError(PermanentError):
    code, status, title = "forbidden", 403, "This is not allowed"
    kind = Kind.INVALID


class ConflictError(PermanentError):
    code, status, title = "conflict", 409, "The state has changed meanwhile"
    kind = Kind.INVALID


class DeclarationChangedError(ConflictError):
    code, title = "declaration_changed", "This document was declared differently before"


class ObjectMissingError(ConflictError):
    code, title = "object_missing", "The bytes have not arrived"


class QuotaExceededError(PermanentError):
    code, status, title = "quota_exceeded", 403, "The workspace is full"
    kind = Kind.TOO_LARGE


class TooLargeError(PermanentError):
    code, status, title = "too_large", 413, "The document is too large"
    kind = Kind.TOO_LARGE


class TypeRefusedError(PermanentError):
    code, status, title = "type_refused", 415, "This type of document is not accepted"
    kind = Kind.UNSUPPORTED


# --- storage ------------------------------------------------------------------


class SizeMismatchError(PermanentError):
    code, status, title = "size_mismatch", 409, "The size is not what was declared"
    kind = Kind.INVALID


class HashMismatchError(PermanentError):
    code, status, title = "hash_mismatch", 409, "The bytes are not what was declared"
    kind = Kind.INVALID


class UrlExpiredError(PermanentError):
    code, status, title = "url_expired", 403, "This link has expired"
    kind = Kind.INVALID


class UrlInvalidError(PermanentError):
    code, status, title = "url_invalid", 403, "This link is not valid"
    kind = Kind.INVALID


class AlreadyStoredError(ConflictError):
    code, status, title = "already_stored", 412, "The bytes are here already"


class StorageError(TransientError):
    code, title = "storage", "Storage is temporarily unavailable"
    kind = Kind.STORAGE


class StorageFullError(StorageError):
    code, status, title = "storage_full", 507, "Storage is full"


class RangeNotSatisfiableError(PermanentError):
    code, status, title = "range_not_satisfiable", 416, "The object does not reach that far"
    kind = Kind.INVALID


# --- processing ---------------------------------------------------------------


class UnsupportedError(PermanentError):
    code, status, title = "unsupported", 415, "This kind of document cannot be read"
    kind = Kind.UNSUPPORTED


class EncryptedError(PermanentError):
    code, status, title = "encrypted", 422, "The document is protected by a password"
    kind = Kind.ENCRYPTED


class InfectedError(PermanentError):
    code, status, title = "infected", 422, "The document carries a virus"
    kind = Kind.INVALID


class CorruptError(PermanentError):
    code, status, title = "corrupt", 422, "The document is damaged"
    kind = Kind.INVALID


class TooComplexError(PermanentError):
    code, status, title = "too_complex", 422, "The document is too complex to read safely"
    kind = Kind.TOO_COMPLEX


class CrashedError(TransientError):
    code, title = "crashed", "Reading the document crashed"
    kind = Kind.CRASHED


class ParseTimeoutError(CrashedError):
    # Counted like a crash: what hangs once hangs again, and hours of retries help nobody.
    code, title = "timeout", "Reading the document took too long"
    kind = Kind.TIMEOUT


class RateLimitError(TransientError):
    code, status, title = "rate_limit", 429, "Too many requests"
    kind = Kind.RATE_LIMIT


class ProviderError(TransientError):
    code, title = "provider", "The embedding service is temporarily unavailable"
    kind = Kind.PROVIDER


class NetworkError(ProviderError):
    code, title = "network", "The embedding service cannot be reached"
    kind = Kind.NETWORK


class ProviderRefusedError(PermanentError):
    code, status, title = "provider_refused", 502, "The embedding service refused the request"
    kind = Kind.PROVIDER


class ScannerError(TransientError):
    code, title = "scanner", "The virus scanner is temporarily unavailable"
    kind = Kind.PROVIDER


class LeaseLostError(SluiceError):
    """Somebody else owns this work now: drop the result, write nothing."""

    code, title = "lease_lost", "The work was handed to another worker"


def kind_of(code: str, tree: type[SluiceError] = SluiceError) -> Kind:
    """Return the kind of the error with this code; what is not in the tree is internal."""
    if vars(tree).get("code") == code:
        return tree.kind
    kinds = [kind_of(code, branch) for branch in tree.__subclasses__()]
    return next((kind for kind in kinds if kind is not Kind.INTERNAL), Kind.INTERNAL)
