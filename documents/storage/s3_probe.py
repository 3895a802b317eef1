"""What a store really does, found out by trying, as a browser would.

Each try uses keys of its own, which are removed afterwards whatever happened.
"""

import hashlib
import math
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from documents.errors import StorageError
from documents.storage.interface import INCOMING_PREFIX, PresignedPut
from documents.storage.s3 import S3Storage
from documents.storage.s3_client import S3Options, connect, s3_errors

BODY = b"Sluice looks what this store does."
OTHER_BODY = BODY[::-1]
TEXT = "text/plain"
URL_SECONDS = 300


class Conduct(StrEnum):
    """How a store treats a condition that is signed into a URL."""

    ENFORCES = "enforces"
    IGNORES = "ignores"
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True)
class Cors:
    """What a store answers to a browser at one origin, before and after an upload."""

    status: int
    allows_put: bool
    exposes_etag: bool


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str]


@dataclass(slots=True)
class _Attempts:
    """Uploads to keys of their own."""

    options: S3Options
    keys: list[str] = field(default_factory=list)
    _session: URLLib3Session = field(init=False)

    def __post_init__(self) -> None:
        self._session = URLLib3Session(timeout=math.ceil(self.options.read_seconds))

    def sign(self, *, checksum: bool = False, if_none_match: bool = False) -> PresignedPut:
        """Return a URL for BODY under a fresh key, with these conditions."""
        key = f"{INCOMING_PREFIX}doctor/{secrets.token_hex(16)}"
        self.keys.append(key)
        options = replace(self.options, sign_checksum=checksum, sign_if_none_match=if_none_match)
        return S3Storage(options).presign_put(
            key,
            size=len(BODY),
            content_type=TEXT,
            sha256=hashlib.sha256(BODY).hexdigest(),
            expires_seconds=URL_SECONDS,
        )

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> _Reply:
        """Make one request by a signed URL."""
        with s3_errors():
            request = AWSRequest(method, url, headers=dict(headers), data=body).prepare()
            answer = self._session.send(request)
        return _Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()})

    def put(self, put: PresignedPut, body: bytes = BODY, **more: str) -> _Reply:
        return self.send("PUT", put.url, {**put.headers, **more}, body)


def find_bucket(options: S3Options) -> None:
    """Raise StorageError unless the bucket answers to these keys."""
    client, _ = connect(options, options.endpoint_url)
    with s3_errors():
        client.list_objects_v2(Bucket=options.bucket, MaxKeys=1)


def try_cors(options: S3Options, origin: str) -> Cors:
    """Ask as a browser at this origin does before it sends a document, and send one."""
    names = ["content-type"]
    names += ["if-none-match"] if options.sign_if_none_match else []
    names += ["x-amz-checksum-sha256"] if options.sign_checksum else []
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": ",".join(names),
    }
    with _attempts(options) as attempts:
        put = attempts.sign()
        answer = attempts.send("OPTIONS", put.url, asked)
        sent = attempts.put(put, Origin=origin)
    return Cors(
        status=answer.status,
        allows_put=_allows(answer, origin, names),
        exposes_etag="etag" in _list(sent, "access-control-expose-headers"),
    )


def try_checksum(options: S3Options) -> Conduct:
    """Find out whether bytes with another SHA-256 than the signed one are refused."""
    with _attempts(options) as attempts:
        if not _is_taken(attempts.put(attempts.sign(checksum=True))):
            return _refuses(attempts)
        wrong = attempts.put(attempts.sign(checksum=True), OTHER_BODY)
    return Conduct.IGNORES if _is_taken(wrong) else Conduct.ENFORCES


def try_writing_once(options: S3Options) -> Conduct:
    """Find out whether a URL that was signed with If-None-Match can be used twice."""
    with _attempts(options) as attempts:
        put = attempts.sign(if_none_match=True)
        if not _is_taken(attempts.put(put)):
            return _refuses(attempts)
        again = attempts.put(put)
    return Conduct.IGNORES if _is_taken(again) else Conduct.ENFORCES


def try_length(options: S3Options) -> Conduct:
    """Find out whether more bytes than were signed are refused."""
    with _attempts(options) as attempts:
        _require_uploads(attempts)
        longer = attempts.put(attempts.sign(), BODY + b"!")
    return Conduct.IGNORES if _is_taken(longer) else Conduct.ENFORCES


def _refuses(attempts: _Attempts) -> Conduct:
    """Say that it is the condition that is refused, or raise when every upload is."""
    _require_uploads(attempts)
    return Conduct.REFUSES


def _require_uploads(attempts: _Attempts) -> None:
    plain = attempts.put(attempts.sign())
    if not _is_taken(plain):
        raise StorageError(f"The store answers {plain.status} to a signed upload.")


@contextmanager
def _attempts(options: S3Options) -> Iterator[_Attempts]:
    """Give attempts, and remove what they wrote."""
    attempts = _Attempts(options)
    try:
        yield attempts
    finally:
        client, _ = connect(options, options.endpoint_url)
        with s3_errors():
            for key in attempts.keys:
                client.delete_object(Bucket=options.bucket, Key=key)


def _allows(answer: _Reply, origin: str, names: list[str]) -> bool:
    """Tell whether a browser would go on: https://fetch.spec.whatwg.org/#cors-preflight-fetch"""
    headers = _list(answer, "access-control-allow-headers")
    return (
        200 <= answer.status < 300
        and answer.headers.get("access-control-allow-origin") in (origin, "*")
        and bool({"put", "*"} & _list(answer, "access-control-allow-methods"))
        and ("*" in headers or headers >= set(names))
    )


def _list(answer: _Reply, name: str) -> set[str]:
    return {part.strip().lower() for part in answer.headers.get(name, "").split(",")}


def _is_taken(answer: _Reply) -> bool:
    return 200 <= answer.status < 300
