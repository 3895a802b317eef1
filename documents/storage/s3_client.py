"""The door to boto3: the clients of one bucket, and what their failures mean.

Our own retries are rows in Postgres, so boto3 tries only once more and gives up soon.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError

from documents.errors import (
    ConflictError,
    InvalidError,
    ObjectMissingError,
    SluiceError,
    StorageError,
    StorageFullError,
)

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

TRIES = 2
CONNECTIONS = 32

_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchUpload"})
# Ceph and AWS, Swift, MinIO. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "507", "XMinioStorageFull"})
# A part that was replaced since it was listed, or that was never there.
_CHANGED = frozenset({"InvalidPart"})
# Few on purpose: what is called permanent ends a document, and keys that were
# mistyped or have run out, or clocks that differ, are repaired without it.
_INVALID = frozenset({"EntityTooLarge", "KeyTooLongError"})


@dataclass(frozen=True, slots=True)
class S3Options:
    """Which bucket, where, and as whom; without keys boto3 looks for them."""

    bucket: str
    region: str
    endpoint_url: str
    # Browsers may have to use another name for the store than servers do.
    public_endpoint_url: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    sign_checksum: bool = True
    sign_if_none_match: bool = True
    connect_seconds: float = 5
    read_seconds: float = 30


def connect(options: S3Options, endpoint_url: str) -> "tuple[S3Client, Signer]":
    """Return a client and a signer of URLs, which any number of threads may share.

    Neither opens a connection before the client is used.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": options.addressing_style},
        # Trailing checksums, the default, are refused by stores that know none.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=options.connect_seconds,
        read_timeout=options.read_seconds,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
    )
    # A session of its own: the one boto3 shares is not made for several threads.
    session = boto3.Session(
        region_name=options.region,
        aws_access_key_id=options.access_key_id or None,
        aws_secret_access_key=options.secret_access_key or None,
    )
    client = session.client("s3", endpoint_url=endpoint_url, config=config)
    with s3_errors():
        example = client.generate_presigned_url(
            "get_object", {"Bucket": options.bucket, "Key": "x"}
        )
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
    return client, Signer(example.partition("?")[0][:-1], options.region, credentials)


@dataclass(frozen=True, slots=True)
class Signer:
    """Sign URLs of one bucket, as a client does, in a quarter of the time.

    A client works out anew for each URL what `base` says once: where the bucket is.
    """

    base: str
    region: str
    credentials: Credentials = field(repr=False)

    def sign(
        self,
        method: Literal["GET", "PUT"],
        key: str,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        expires_seconds: int,
    ) -> str:
        """Return the URL; every header is signed. No legal key needs quoting."""
        request = AWSRequest(method, f"{self.base}{key}", headers=headers, params=dict(query))
        with s3_errors():
            # Those of a role change with time: frozen, they belong together.
            current = self.credentials.get_frozen_credentials()
            auth = S3SigV4QueryAuth(current, "s3", self.region, expires_seconds)
            auth.add_auth(request)
        return str(request.url)


@contextmanager
def s3_errors() -> Iterator[None]:
    """Translate what boto3 raises into the error tree, once, at the edge."""
    try:
        yield
    except ClientError as error:
        raise _translated(error) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise StorageError from error


def _translated(error: ClientError) -> SluiceError:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in _MISSING:
        return ObjectMissingError()
    if code in _FULL or status == 507:
        return StorageFullError()
    if status == 412 or code in _CHANGED:
        return ConflictError("The stored bytes changed meanwhile.")
    if code in _INVALID:
        return InvalidError(f"Storage refuses this object: {code}.")
    return StorageError(f"Storage answered {status} {code}.")
