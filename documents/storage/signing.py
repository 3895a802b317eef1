"""Signed URLs of the local store: what a link permits travels inside the link.

A token is JSON, signed by HMAC-SHA256 under SECRET_KEY (and its fallbacks, so that a
key can be rotated). The method and the key are part of it, so a link serves for one
object and one purpose. Nothing is kept on the server.
"""

import time
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from django.core import signing

from documents.errors import UrlExpiredError, UrlInvalidError

URL_PREFIX = "/storage/"
_SALT = "documents.storage.url"


@dataclass(frozen=True, slots=True)
class PutGrant:
    """Permission to store exactly these bytes under one key; `expires_at` is Unix seconds."""

    key: str
    expires_at: int
    size: int
    content_type: str
    sha256: str | None
    method: Literal["PUT"] = "PUT"


@dataclass(frozen=True, slots=True)
class PartGrant:
    """Permission to store one part of one upload, at its place and of exactly this length."""

    key: str
    expires_at: int
    upload: str
    number: int
    offset: int
    size: int
    method: Literal["PUT"] = "PUT"


@dataclass(frozen=True, slots=True)
class GetGrant:
    """Permission to read one object; `expires_at` is Unix seconds."""

    key: str
    expires_at: int
    filename: str
    content_type: str
    inline: bool
    method: Literal["GET"] = "GET"


Grant = TypeVar("Grant", PutGrant, PartGrant, GetGrant)


def expiry(expires_seconds: int) -> int:
    """Return the Unix second after which a link signed now is refused."""
    return int(time.time()) + expires_seconds


def seconds_since(expires_at: int) -> float:
    """Return how long ago a link expired; negative while it is valid."""
    return time.time() - expires_at


def sign_url(grant: PutGrant | PartGrant | GetGrant) -> str:
    """Return the relative URL that carries the grant; it works behind any host name."""
    # Base64url and ":" are all legal in a query, so nothing needs quoting.
    # No asdict: it copies deeply, for longer than signing takes.
    content = {field.name: getattr(grant, field.name) for field in fields(grant)}
    token = signing.Signer(salt=_SALT).sign_object(content)
    return f"{URL_PREFIX}{grant.key}?t={token}"


def read_put(token: str, key: str) -> PutGrant | PartGrant:
    """Return what the token permits, or raise UrlInvalidError or UrlExpiredError."""
    content = _unsign(token)
    if "number" in content:
        return _check(_as(PartGrant, content), key, "PUT")
    return _check(_as(PutGrant, content), key, "PUT")


def read_get(token: str, key: str) -> GetGrant:
    """Return what the token permits, or raise UrlInvalidError or UrlExpiredError."""
    return _check(_as(GetGrant, _unsign(token)), key, "GET")


def _unsign(token: str) -> dict[str, Any]:
    try:
        # Compares the signature in constant time before it looks at the content.
        content: dict[str, Any] = signing.Signer(salt=_SALT).unsign_object(token)
    except signing.BadSignature as error:
        raise UrlInvalidError from error
    return content


def _as(kind: type[Grant], content: dict[str, Any]) -> Grant:
    try:
        return kind(**content)
    except TypeError as error:
        # A valid token of another kind: right signature, wrong method.
        raise UrlInvalidError from error


def _check(grant: Grant, key: str, method: str) -> Grant:
    if grant.key != key or grant.method != method:
        raise UrlInvalidError
    if seconds_since(grant.expires_at) >= 0:
        raise UrlExpiredError
    return grant
