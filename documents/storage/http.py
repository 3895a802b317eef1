"""Serve the local store's signed URLs: a plain ASGI application, mounted at /storage/.

    PUT       stores exactly what was signed: length, type, hash, once; or one part of a document
    GET, HEAD read an object or one range of it, never as active content

It has no session, no database and no Django request: the token in the URL is the only
permission. Bodies are streamed in pieces, and everything that waits for a disk runs in
a thread, so that many transfers share one event loop.
"""

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import BinaryIO, Self
from urllib.parse import parse_qs
from weakref import WeakValueDictionary

import structlog
from asgiref.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPScope,
    Scope,
)

from documents.errors import (
    AlreadyStoredError,
    HashMismatchError,
    LengthRequiredError,
    NotFoundError,
    ObjectMissingError,
    RangeNotSatisfiableError,
    SizeMismatchError,
    SluiceError,
    TransientError,
    TypeRefusedError,
    UrlExpiredError,
    UrlInvalidError,
)
from documents.storage import get_local_storage, signing
from documents.storage.headers import INLINE_CACHE, byte_range, content_disposition, matches_etag
from documents.storage.incomplete import PIECE_BYTES, IncompleteObject
from documents.storage.interface import ObjectStat
from documents.storage.local import MAX_UPLOAD_SECONDS, LocalStorage

IDLE_SECONDS = 60
RETRY_AFTER_SECONDS = 5

_SAFETY_HEADERS = {
    "Cache-Control": "private",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# What S3 answers to IncompleteBody and BadDigest, so that one client fits both stores.
_STATUS = {SizeMismatchError.code: 400, HashMismatchError.code: 400}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StorageApp:
    """The HTTP face of one local store: by default the one under STORAGE_ROOT."""

    storage: LocalStorage = field(default_factory=get_local_storage)
    # Parts of one document take turns anyway: who waits shall not hold a thread meanwhile.
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer one HTTP request; every refusal is application/problem+json."""
        if scope["type"] != "http":
            raise ValueError(f"/storage/ speaks HTTP, not {scope['type']}.")
        try:
            await self._answer(_Request.read(scope), receive, send)
        except SluiceError as error:
            await _refuse(error, send)

    async def _answer(
        self, request: "_Request", receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if request.method == "PUT":
            grant = signing.read_put(request.token, request.key)
            if isinstance(grant, signing.PartGrant):
                etag = await self._store_part(grant, request, receive)
            else:
                etag = (await self._store(grant, request, receive)).etag
            await _respond(send, 201, {"ETag": f'"{etag}"'})
        elif request.method in {"GET", "HEAD"}:
            await self._deliver(request, receive, send)
        else:
            raise UrlInvalidError(f"This link does not permit {request.method}.")

    async def _store(
        self, grant: signing.PutGrant, request: "_Request", receive: ASGIReceiveCallable
    ) -> ObjectStat:
        _check_declaration(grant, request)
        if await asyncio.to_thread(self.storage.is_taken, grant.key):
            raise AlreadyStoredError
        incomplete = await asyncio.to_thread(self.storage.begin)
        try:
            async for piece in _body(receive, grant.size):
                await asyncio.to_thread(incomplete.write, piece)
            _check_received(grant, incomplete)
            return await asyncio.to_thread(self.storage.publish, incomplete, grant.key)
        finally:
            await asyncio.to_thread(incomplete.discard)

    async def _store_part(
        self, grant: signing.PartGrant, request: "_Request", receive: ASGIReceiveCallable
    ) -> str:
        _check_length(grant.size, request)
        try:
            await asyncio.to_thread(self.storage.check_part, grant)
            incomplete = await asyncio.to_thread(self.storage.begin)
            try:
                async for piece in _body(receive, grant.size):
                    await asyncio.to_thread(incomplete.write, piece)
                async with self._turns.setdefault(grant.upload, asyncio.Lock()):
                    return await asyncio.to_thread(self.storage.store_part, grant, incomplete)
            finally:
                await asyncio.to_thread(incomplete.discard)
        except ObjectMissingError as error:
            raise NotFoundError(error.detail) from error

    async def _deliver(
        self, request: "_Request", receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        grant = signing.read_get(request.token, request.key)
        try:
            stream, stat = await asyncio.to_thread(self.storage.open_described, grant.key)
        except ObjectMissingError as error:
            raise NotFoundError from error
        try:
            reply = _reply(grant, stat, request)
            await _start(send, reply.status, reply.headers)
            await _send_bytes(stream, reply.wanted, receive, send)
        finally:
            await asyncio.to_thread(stream.close)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    key: str
    token: str
    headers: Mapping[str, str]

    @classmethod
    def read(cls, scope: HTTPScope) -> Self:
        """Take from the scope what matters here; header names come in lower case."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        return cls(
            method=scope["method"],
            key=scope["path"].partition(signing.URL_PREFIX)[2],
            token=query.get("t", [""])[0],
            headers={
                name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
            },
        )


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: dict[str, str]
    wanted: range


def _check_declaration(grant: signing.PutGrant, request: _Request) -> None:
    """Refuse before a byte is read what cannot become the signed object."""
    _check_length(grant.size, request)
    content_type = request.headers.get("content-type")
    if content_type != grant.content_type:
        raise TypeRefusedError(f"This link accepts {grant.content_type}, not {content_type}.")


def _check_length(size: int, request: _Request) -> None:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise LengthRequiredError
    if int(length) != size:
        raise SizeMismatchError(f"{size} bytes were declared, {int(length)} announced.")


def _check_received(grant: signing.PutGrant, incomplete: IncompleteObject) -> None:
    if grant.sha256 is not None and incomplete.sha256 != grant.sha256:
        raise HashMismatchError(f"The SHA-256 of the bytes is {incomplete.sha256}.")
    # Past this the tombstone of the key may be gone: see local.py.
    if signing.seconds_since(grant.expires_at) > MAX_UPLOAD_SECONDS:
        raise UrlExpiredError


async def _body(receive: ASGIReceiveCallable, size: int) -> AsyncIterator[bytearray]:
    """Yield the body in pieces of about PIECE_BYTES; SizeMismatchError unless it has `size`."""
    arrived, piece, more = 0, bytearray(), True
    while more:
        chunk, more = await _next_chunk(receive, arrived, size)
        arrived += len(chunk)
        if arrived > size or (arrived < size and not more):
            raise SizeMismatchError(f"{size} bytes were declared, {arrived} arrived.")
        piece += chunk
        if len(piece) >= PIECE_BYTES or not more:
            yield piece
            piece = bytearray()


async def _next_chunk(receive: ASGIReceiveCallable, arrived: int, size: int) -> tuple[bytes, bool]:
    """Return the next bytes of the body and whether more follow."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            message = await receive()
    except TimeoutError as error:
        raise SizeMismatchError(f"Nothing came for {IDLE_SECONDS} s; {arrived} arrived.") from error
    if message["type"] != "http.request":
        raise SizeMismatchError(f"The connection ended after {arrived} of {size} bytes.")
    return message["body"], message["more_body"]


def _reply(grant: signing.GetGrant, stat: ObjectStat, request: _Request) -> _Reply:
    headers = {
        **_SAFETY_HEADERS,
        "ETag": f'"{stat.etag}"',
        "Accept-Ranges": "bytes",
        "Last-Modified": format_datetime(stat.modified_at, usegmt=True),
    }
    if grant.inline:
        headers["Cache-Control"] = INLINE_CACHE
    if matches_etag(request.headers.get("if-none-match"), stat.etag):
        return _Reply(304, headers, range(0))
    headers["Content-Type"] = grant.content_type
    headers["Content-Disposition"] = content_disposition(
        grant.filename, grant.content_type, inline=grant.inline
    )
    part = _wanted_part(request, stat)
    wanted = range(stat.size) if part is None else part
    headers["Content-Length"] = str(len(wanted))
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{stat.size}"
    return _Reply(
        200 if part is None else 206, headers, range(0) if request.method == "HEAD" else wanted
    )


def _wanted_part(request: _Request, stat: ObjectStat) -> range | None:
    # A range is only defined for GET, and only while If-Range names what is here.
    unchanged = request.headers.get("if-range") in {None, f'"{stat.etag}"'}
    if request.method != "GET" or not unchanged:
        return None
    return byte_range(request.headers.get("range"), stat.size)


async def _send_bytes(
    stream: BinaryIO, wanted: range, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """Send part of the stream piece by piece, and stop reading when nobody listens."""
    gone = asyncio.create_task(_wait_until_gone(receive))
    try:
        await asyncio.to_thread(stream.seek, wanted.start)
        left = len(wanted)
        while left and not gone.done():
            piece = await asyncio.to_thread(stream.read, min(left, PIECE_BYTES))
            if not piece:
                # The status and length are sent: only a broken connection tells the truth.
                raise OSError(errno.EIO, f"{left} bytes are missing at the end of an object")
            left -= len(piece)
            await _send_body(send, piece, more=True)
        await _send_body(send, b"", more=False)
    finally:
        gone.cancel()


async def _wait_until_gone(receive: ASGIReceiveCallable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(error: SluiceError, send: ASGISendCallable) -> None:
    if isinstance(error, TransientError):
        log.warning("storage_refused", code=error.code, exc_info=error)
    status = _STATUS.get(error.code, error.status)
    problem = {
        "type": "about:blank",
        "code": error.code,
        "title": error.title,
        "detail": error.detail,
        "status": status,
    }
    headers = {**_SAFETY_HEADERS, "Content-Type": "application/problem+json"}
    if isinstance(error, TransientError):
        headers["Retry-After"] = str(int(error.retry_after_seconds or RETRY_AFTER_SECONDS))
    if isinstance(error, RangeNotSatisfiableError):
        headers["Content-Range"] = f"bytes */{error.details['size']}"
    await _respond(send, status, headers, json.dumps(problem).encode())


async def _respond(
    send: ASGISendCallable, status: int, headers: dict[str, str], body: bytes = b""
) -> None:
    await _start(send, status, {**headers, "Content-Length": str(len(body))})
    await _send_body(send, body, more=False)


async def _start(send: ASGISendCallable, status: int, headers: dict[str, str]) -> None:
    fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send(
        {"type": "http.response.start", "status": status, "headers": fields, "trailers": False}
    )


async def _send_body(send: ASGISendCallable, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
