"""Real S3-compatible stores under contract, where they run, and what each enforces.

S3_CEPH_ENV and S3_SWIFT_ENV name files of NAME=VALUE lines that say how to reach one.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from unittest import mock
from urllib.parse import parse_qsl, urlencode, urlsplit

from documents.storage.interface import PresignedPut, Storage
from documents.storage.s3 import S3Storage
from documents.storage.s3_client import S3Options
from tests.documents.storage_server import TIMEOUT_SECONDS, Reply, send


@dataclass(frozen=True, slots=True)
class Enforced:
    """What a store makes sure of by itself; verify makes sure of the rest.

    `hash`: bytes with another SHA-256 than the signed one are refused.
    `one_winner`: of concurrent PUTs to one key exactly one is accepted.
    `graves_missing`: a removed incoming key is 404 by URL too; else it is empty.
    `one_object`: an upload in parts does not replace what its key was used for.
    `parts_closed`: a part that comes after all were put together is refused; else what was
    put together can be read no more, and is never read with other bytes.
    `denied`: how a request is refused that nothing permits.
    """

    hash: bool = True
    one_winner: bool = True
    graves_missing: bool = True
    one_object: bool = True
    parts_closed: bool = True
    denied: frozenset[int] = frozenset({403})


class S3Backend:
    """A bucket of a real store."""

    variable: ClassVar[str]
    enforced: ClassVar[Enforced]
    # The least that all parts but the last have.
    part_bytes: ClassVar[int] = 5 * 1024**2

    def __init__(self, options: S3Options) -> None:
        self.storage: Storage = S3Storage(options)
        parts = urlsplit(options.endpoint_url)
        self.address = (parts.hostname or "", parts.port or 80)

    @classmethod
    @contextmanager
    def running(cls, directory: Path) -> Iterator["S3Backend"]:
        """Use the store that runs already; tests share it, so their keys are their own."""
        options = options_from(os.environ[cls.variable])
        yield cls(options)

    def send(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Reply:
        """Make one HTTP request; underscores in header names stand for hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return send(self.address, method, url, body, fields)

    def hang_up(self, put: PresignedPut, body: bytes) -> None:
        """Close the sending half half-way and wait until the server has had enough."""
        parts = urlsplit(put.url)
        fields = {"Host": parts.netloc, "Content-Length": str(len(body)), **put.headers}
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with socket.create_connection(self.address, TIMEOUT_SECONDS) as connection:
            connection.sendall(head.encode("ascii") + b"\r\n" + body[: len(body) // 2])
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    @contextmanager
    def clock_set_back(self, seconds: int) -> Iterator[None]:
        """Sign as if it were earlier."""
        earlier = datetime.now(UTC) - timedelta(seconds=seconds)
        with mock.patch("botocore.auth.get_current_datetime", return_value=earlier):
            yield

    def tampered(self, url: str) -> Iterator[tuple[str, str]]:
        """Yield the URL with each part of its query changed, without each, and with none."""
        path, _, query = url.partition("?")
        fields = dict(parse_qsl(query))
        for name, value in fields.items():
            # One more digit is another number, text, date and signature.
            yield name, f"{path}?{urlencode({**fields, name: f'{value}1'})}"
            rest = {other: fields[other] for other in fields if other != name}
            yield f"no {name}", f"{path}?{urlencode(rest)}"
        yield "nothing", path


class CephBackend(S3Backend):
    """Ceph's object gateway."""

    variable = "S3_CEPH_ENV"
    enforced = Enforced(
        hash=False,
        graves_missing=False,
        one_object=False,
        denied=frozenset({400, 403, 405}),
    )


class SwiftBackend(S3Backend):
    """OpenStack Swift with its S3 interface."""

    variable = "S3_SWIFT_ENV"
    enforced = Enforced(
        one_winner=False,
        graves_missing=False,
        parts_closed=False,
        denied=frozenset({400, 401, 403, 405}),
    )


S3_BACKENDS = (CephBackend, SwiftBackend)


def running_stores() -> tuple[type[S3Backend], ...]:
    """Return the backends that the environment says how to reach."""
    return tuple(each for each in S3_BACKENDS if os.environ.get(each.variable))


def missing_stores() -> list[str]:
    """Return the variables that are not set."""
    return [each.variable for each in S3_BACKENDS if not os.environ.get(each.variable)]


def options_from(path: str) -> S3Options:
    """Read what a store told about itself when it started."""
    lines = (line.partition("=") for line in Path(path).read_text().splitlines())
    told = {name: value for name, _, value in lines}
    return S3Options(
        bucket=told["S3_BUCKET"],
        region=told["AWS_DEFAULT_REGION"],
        endpoint_url=told["S3_ENDPOINT_URL"],
        access_key_id=told["AWS_ACCESS_KEY_ID"],
        secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        addressing_style="path",
    )
