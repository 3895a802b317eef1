"""Every refusal and failure Sluice can name, as one tree.

A class decides three things once: its `code` (what clients switch on), its
HTTP `status`, and whether trying again can help (`PermanentError` or
`TransientError`). The message is the sentence a person reads. This module
imports nothing, so that parsers and stages may raise the same errors.
"""

from typing import Any, ClassVar


class SluiceError(Exception):
    """A failure with a documented code and a sentence for the person it concerns."""

    code: ClassVar[str] = "internal"
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


class PermissionDeniedError(PermanentError):
    code, status, title = "forbidden", 403, "This is not allowed"


class ConflictError(PermanentError):
    code, status, title = "conflict", 409, "The state has changed meanwhile"


class DeclarationChangedError(ConflictError):
    code, title = "declaration_changed", "This document was declared differently before"


class ObjectMissingError(ConflictError):
    code, title = "object_missing", "The bytes have not arrived"


class QuotaExceededError(PermanentError):
    code, status, title = "quota_exceeded", 403, "The workspace is full"


class TooLargeError(PermanentError):
    code, status, title = "too_large", 413, "The document is too large"


class TypeRefusedError(PermanentError):
    code, status, title = "type_refused", 415, "This type of document is not accepted"


# --- storage ------------------------------------------------------------------


class SizeMismatchError(PermanentError):
    code, status, title = "size_mismatch", 409, "The size is not what was declared"


class HashMismatchError(PermanentError):
    code, status, title = "hash_mismatch", 409, "The bytes are not what was declared"


class UrlExpiredError(PermanentError):
    code, status, title = "url_expired", 403, "This link has expired"


class UrlInvalidError(PermanentError):
    code, status, title = "url_invalid", 403, "This link is not valid"


class AlreadyStoredError(ConflictError):
    code, status, title = "already_stored", 412, "The bytes are here already"


class StorageError(TransientError):
    code, title = "storage", "Storage is temporarily unavailable"


class StorageFullError(StorageError):
    code, status, title = "storage_full", 507, "Storage is full"


class RangeNotSatisfiableError(PermanentError):
    code, status, title = "range_not_satisfiable", 416, "The object does not reach that far"


# --- processing ---------------------------------------------------------------


class UnsupportedError(PermanentError):
    code, status, title = "unsupported", 415, "This kind of document cannot be read"


class EncryptedError(PermanentError):
    code, status, title = "encrypted", 422, "The document is protected by a password"


class CorruptError(PermanentError):
    code, status, title = "corrupt", 422, "The document is damaged"


class TooComplexError(PermanentError):
    code, status, title = "too_complex", 422, "The document is too complex to read safely"


class CrashedError(TransientError):
    code, title = "crashed", "Reading the document crashed"


class ParseTimeoutError(CrashedError):
    # Counted like a crash: what hangs once hangs again, and hours of retries help nobody.
    code, title = "timeout", "Reading the document took too long"


class RateLimitError(TransientError):
    code, status, title = "rate_limit", 429, "Too many requests"


class ProviderError(TransientError):
    code, title = "provider", "The embedding service is temporarily unavailable"


class ProviderRefusedError(PermanentError):
    code, status, title = "provider_refused", 502, "The embedding service refused the request"


class LeaseLostError(SluiceError):
    """Somebody else owns this work now: drop the result, write nothing."""

    code, title = "lease_lost", "The work was handed to another worker"
