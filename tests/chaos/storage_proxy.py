"""A proxy before a store, or before a whole Sluice, that breaks what it is told to break.

    python -m tests.chaos.storage_proxy --listen 0 --upstream http://127.0.0.1:9000 \
        --control 0 --seed 1

prints {"listen": PORT, "control": PORT} once it listens, and ends with its parent.
Requests pass unchanged, the Host header too, so that signatures stay valid: Sluice's
S3_ENDPOINT_URL is the proxy's address. Each connection carries one request.

Before a whole Sluice, `--only "PUT /storage/"` spares all other requests, and sockets pass.

    PUT /faults   {"unavailable": 0.3, "timeout_seconds": 5}; what is not named is off
    GET /counts   {"requests": 120, "unavailable": 37, ...}: what was done so far
"""

import argparse
import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal
from urllib.parse import urlsplit

from config.processes import signal_when_parent_dies
from tests.chaos.wire import (
    Message,
    Reader,
    Writer,
    answer_of,
    close,
    final_answer,
    json_of,
    pass_on,
    reset,
    send,
)

HEAD_BYTES = 64 * 1024
REMEMBERED = 10_000
SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
EXPIRED = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
)
# What is answered by the proxy itself, with the whole request read first.
REFUSALS = {"unavailable": (503, SLOW_DOWN), "expired": (403, EXPIRED)}


@dataclass(frozen=True, slots=True)
class Faults:
    """Which share of the requests meets which fault; at most one each.

    A fault that a request cannot meet (a short read of nothing) is not done.
    """

    unavailable: float = 0  # 503 SlowDown.
    expired: float = 0  # 403, as for a link that ran out; without CORS headers, as stores do.
    timeout: float = 0  # Silence, then the connection ends.
    reset: float = 0  # Reset before anything is passed on.
    reset_request: float = 0  # Reset after half of what the client sends.
    reset_response: float = 0  # Done by the store; reset after half of its answer.
    short_read: float = 0  # The whole length is announced, half comes.
    missing_head: float = 0  # HEAD says 404 of an object that is there.
    old_head: float = 0  # HEAD describes what was replaced or deleted, for stale_seconds.
    timeout_seconds: float = 30
    stale_seconds: float = 5
    # Everything: refuse connections, or answer 503.
    outage: Literal["", "refused", "unavailable"] = ""

    SHARES = (
        *("unavailable", "expired", "timeout", "reset", "reset_request"),
        *("reset_response", "short_read", "missing_head", "old_head"),
    )

    @classmethod
    def read(cls, body: bytes) -> "Faults":
        """Read the JSON of PUT /faults, or raise ValueError."""
        given = json.loads(body)
        unknown = set(given) - {each.name for each in fields(cls)}
        if unknown:
            raise ValueError(f"No such fault: {', '.join(sorted(unknown))}")
        return cls(**given)

    def choose(self, draw: float) -> str:
        """Return the fault that a number between 0 and 1 falls on, or nothing."""
        for name in self.SHARES:
            draw -= float(getattr(self, name))
            if draw < 0:
                return name
        return ""


@dataclass(slots=True)
class Proxy:
    """One upstream, the faults in force, and what was done."""

    upstream: tuple[str, int]
    rng: random.Random
    # Method and beginning of the path of the requests that may meet a fault.
    only: str = ""
    faults: Faults = Faults()
    counts: Counter[str] = field(default_factory=Counter)
    # By path: the last answer to HEAD, and until when a replaced one is still given.
    heads: dict[str, Message] = field(default_factory=dict)
    old_heads: dict[str, tuple[float, Message]] = field(default_factory=dict)

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """Carry one request."""
        try:
            request = await Message.read(reader)
            if not f"{request.method} {request.path}".startswith(self.only):
                await self._pass(request, reader, writer)
                return
            self.counts["requests"] += 1
            # Drawn in an outage too, so that the same requests meet the same faults after it.
            fault = self.faults.choose(self.rng.random())
            outage = self.faults.outage == "unavailable"
            await self._answer(request, "unavailable" if outage else fault, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reset(writer)
        finally:
            await close(writer)

    async def _pass(self, request: Message, reader: Reader, writer: Writer) -> None:
        """Carry a request that nothing may happen to, or a socket until it ends."""
        if not request.header("Upgrade"):
            await self._exchange(request, "", reader, writer)
            return
        there, back = await asyncio.open_connection(*self.upstream, limit=HEAD_BYTES)
        try:
            await send(back, request.head)
            ways = {
                asyncio.create_task(pass_on(reader, back, None)),
                asyncio.create_task(pass_on(there, writer, None)),
            }
            _, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in pending:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            await close(back)

    async def _answer(self, request: Message, fault: str, reader: Reader, writer: Writer) -> None:
        if fault in REFUSALS:
            self.counts[fault] += 1
            if not request.header("Expect"):
                await pass_on(reader, None, request.length)
            status, body = REFUSALS[fault]
            await send(writer, answer_of(status, body, "application/xml"))
        elif fault == "timeout":
            self.counts[fault] += 1
            await asyncio.sleep(self.faults.timeout_seconds)
        elif fault == "reset":
            self.counts[fault] += 1
            reset(writer)
        else:
            await self._exchange(request, fault, reader, writer)

    async def _exchange(self, request: Message, fault: str, reader: Reader, writer: Writer) -> None:
        store_reader, store_writer = await asyncio.open_connection(*self.upstream, limit=HEAD_BYTES)
        halved = fault == "reset_request" and (request.length or 0) > 1
        length = (request.length or 0) // 2 if halved else request.length
        try:
            await send(store_writer, request.closing())
            sending = asyncio.create_task(pass_on(reader, store_writer, length))
            answering = asyncio.create_task(final_answer(store_reader, writer))
            try:
                if halved:
                    await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
                if halved and not answering.done():
                    self.counts[fault] += 1
                    reset(store_writer)
                    reset(writer)
                    return
                await self._give(request, await answering, fault, store_reader, writer)
                # A client that still sends would lose the answer if its connection ended.
                await asyncio.wait({sending}, timeout=1)
            finally:
                sending.cancel()
                answering.cancel()
                await asyncio.gather(sending, answering, return_exceptions=True)
        finally:
            await close(store_writer)

    async def _give(
        self, request: Message, answer: Message, fault: str, store: Reader, writer: Writer
    ) -> None:
        is_head = request.method == "HEAD"
        length = 0 if is_head or answer.status in {204, 304} else answer.length
        if is_head and answer.status in {200, 404}:
            answer = self._perhaps_stale(request.path, answer, fault)
        elif request.method != "GET" and answer.status < 300:
            self._note_change(request.path)
        if fault == "reset_response":
            self.counts[fault] += 1
            if length != 0:
                await send(writer, answer.closing())
                await pass_on(store, writer, (length or 0) // 2)
            reset(writer)
            return
        if fault == "short_read" and length:
            self.counts[fault] += 1
            length //= 2
        await send(writer, answer.closing())
        await pass_on(store, writer, length)

    def _perhaps_stale(self, path: str, answer: Message, fault: str) -> Message:
        until, old = self.old_heads.get(path, (0.0, answer))
        is_there = answer.status == 200
        if fault == "missing_head" and is_there:
            self.counts[fault] += 1
            return Message(answer_of(404, b"", "application/xml"))
        if fault == "old_head" and time.monotonic() < until:
            self.counts[fault] += 1
            return old
        if is_there:
            _remember(self.heads, path, answer)
        return answer

    def _note_change(self, path: str) -> None:
        old = self.heads.pop(path, None)
        if old is not None:
            until = time.monotonic() + self.faults.stale_seconds
            _remember(self.old_heads, path, (until, old))


class Gate:
    """The port that Sluice knows, which can be shut."""

    def __init__(self, proxy: Proxy, port: int) -> None:
        self._proxy = proxy
        self.port = port
        self._server: asyncio.Server | None = None

    async def apply(self, faults: Faults) -> None:
        """Put faults into force; a shut port refuses connections."""
        self._proxy.faults = faults
        if faults.outage == "refused" and self._server is not None:
            self._server.close()
            self._server = None
        elif faults.outage != "refused" and self._server is None:
            self._server = await _listen(self._proxy.serve, self.port)
            self.port = _port(self._server)

    async def control(self, reader: Reader, writer: Writer) -> None:
        """Answer PUT /faults and GET /counts."""
        try:
            request = await Message.read(reader)
            body = await reader.readexactly(request.length or 0)
            await send(writer, await self._obey(request, body))
        except (OSError, asyncio.IncompleteReadError):
            reset(writer)
        finally:
            await close(writer)

    async def _obey(self, request: Message, body: bytes) -> bytes:
        match request.method, request.path:
            case "PUT", "/faults":
                try:
                    await self.apply(Faults.read(body))
                except (ValueError, TypeError) as error:
                    return answer_of(400, str(error).encode(), "text/plain")
                return json_of(asdict(self._proxy.faults))
            case "GET", "/counts":
                names = ("requests", *Faults.SHARES)
                return json_of({name: self._proxy.counts[name] for name in names})
        return answer_of(404, b"", "text/plain")


def _remember(known: dict[str, Any], path: str, value: Any) -> None:
    known[path] = value
    if len(known) > REMEMBERED:
        del known[next(iter(known))]


async def _listen(serve: Callable[[Reader, Writer], Awaitable[None]], port: int) -> asyncio.Server:
    return await asyncio.start_server(serve, "127.0.0.1", port, limit=HEAD_BYTES)


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def run(upstream: str, listen: int, control: int, *, seed: int, only: str) -> None:
    """Serve until the parent is gone."""
    parts = urlsplit(upstream)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    proxy = Proxy(address, random.Random(seed), only)
    gate = Gate(proxy, listen)
    signal_when_parent_dies(signal.SIGTERM)
    await gate.apply(Faults())
    server = await _listen(gate.control, control)
    print(json.dumps({"listen": gate.port, "control": _port(server)}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="Break the way to an S3 store.")
    parser.add_argument("--listen", type=int, default=0, help="the port Sluice knows")
    parser.add_argument("--upstream", required=True, help="the store, http://127.0.0.1:9000")
    parser.add_argument("--control", type=int, default=0, help="the port for /faults and /counts")
    parser.add_argument("--seed", type=int, default=0, help="of what meets which fault")
    parser.add_argument("--only", default="", help='what may meet a fault, as "PUT /storage/"')
    given = parser.parse_args()
    asyncio.run(run(given.upstream, given.listen, given.control, seed=given.seed, only=given.only))


if __name__ == "__main__":
    main()
