"""Does the bucket do its part? The checks of `manage.py doctor` that only S3 needs.

What a store does is tried, not looked up, and compared with what the settings say of it.
"""

from collections.abc import Callable

from django.conf import settings

from config.finding import DoctorError, Level
from documents.storage.s3_client import S3Options
from documents.storage.s3_probe import (
    Conduct,
    find_bucket,
    try_checksum,
    try_cors,
    try_length,
    try_writing_once,
)

CONFIGURE = "Run manage.py configure_bucket, or see docs/storage.md."


def _bucket() -> str:
    options = _options()
    find_bucket(options)
    return f"{options.bucket} at {options.endpoint_url}"


def _cors() -> str:
    origins = [origin for origin in settings.S3_CORS_ORIGINS if "*" not in origin]
    if not origins:
        advice = "Set S3_CORS_ORIGINS to where browsers open Sluice."
        raise DoctorError("no origin is known", advice, Level.WARN)
    found = {origin: try_cors(_options(), origin) for origin in origins}
    refused = [origin for origin, cors in found.items() if not cors.allows_put]
    if refused:
        status = found[refused[0]].status
        said = f"browsers at {' and '.join(refused)} may not upload (preflight: {status})"
        raise DoctorError(said, CONFIGURE)
    if not all(cors.exposes_etag for cors in found.values()):
        raise DoctorError("browsers may upload, but not read ETag", CONFIGURE, Level.WARN)
    return f"browsers at {' and '.join(origins)} may upload"


def _checksum() -> str:
    conduct = try_checksum(_options())
    return _compared(conduct, "S3_SIGN_CHECKSUM", _options().sign_checksum, ignored=Level.INFO)


def _writing_once() -> str:
    conduct = try_writing_once(_options())
    signed = _options().sign_if_none_match
    # Graves of used keys are kept for nothing where writing once is not enforced.
    return _compared(conduct, "S3_SIGN_IF_NONE_MATCH", signed, ignored=Level.WARN)


def _length() -> str:
    if try_length(_options()) is not Conduct.ENFORCES:
        advice = "Nothing is lost by it: complete and verify look at the size."
        raise DoctorError("the store takes more bytes than were signed", advice, Level.WARN)
    return "the store takes as many bytes as were signed"


def _compared(conduct: Conduct, name: str, signed: bool, *, ignored: Level) -> str:
    """Return what the store does if the setting fits, else raise which one does."""
    said = f"the store {conduct} it"
    if conduct is Conduct.ENFORCES and not signed:
        raise DoctorError(f"{said}, and it is not signed", f"Set {name}=true.", Level.WARN)
    if conduct is Conduct.REFUSES and signed:
        raise DoctorError(f"{said}, so no upload succeeds", f"Set {name}=false.")
    if conduct is Conduct.IGNORES and signed:
        advice = f"{name}=false says the same; verify makes sure of the bytes."
        raise DoctorError(said, advice, ignored)
    return said if signed else f"{said}, and it is not signed"


def _options() -> S3Options:
    return S3Options(**settings.S3)


CHECKS: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("Bucket", _bucket, "Check S3_BUCKET, S3_ENDPOINT_URL, S3_REGION and the keys."),
    ("CORS", _cors, "Check S3_PUBLIC_ENDPOINT_URL: this machine needs to reach it too."),
    ("Signed hash", _checksum, "Check S3_PUBLIC_ENDPOINT_URL and the keys."),
    ("Signed If-None-Match", _writing_once, "Check S3_PUBLIC_ENDPOINT_URL and the keys."),
    ("Signed length", _length, "Check S3_PUBLIC_ENDPOINT_URL and the keys."),
)
