"""HTTP on the wire, as little of it as a proxy needs: heads, bodies, and how they end."""

import asyncio
import contextlib
import json
import re
import socket
import struct
from dataclasses import dataclass

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """The head of a request or an answer, as it came."""

    head: bytes

    @classmethod
    async def read(cls, reader: Reader) -> "Message":
        """Read up to the empty line."""
        return cls(await reader.readuntil(b"\r\n\r\n"))

    @property
    def first_line(self) -> list[str]:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)

    @property
    def method(self) -> str:
        return self.first_line[0]

    @property
    def path(self) -> str:
        return self.first_line[1].partition("?")[0]

    @property
    def status(self) -> int:
        return int(self.first_line[1])

    def header(self, name: str) -> str:
        found = re.search(rf"\r\n{name}: *([^\r]*)\r\n".encode(), self.head, re.IGNORECASE)
        return found.group(1).decode("latin-1") if found else ""

    @property
    def length(self) -> int | None:
        """Return how long the body is, or None if only its end tells."""
        if given := self.header("Content-Length"):
            return int(given)
        return None if self.header("Transfer-Encoding") else 0

    def closing(self) -> bytes:
        """Return the head with the wish that the connection carries nothing else."""
        lines = re.sub(
            rb"\r\n(?:Connection|Keep-Alive):[^\r]*", b"", self.head, flags=re.IGNORECASE
        )
        return lines[:-2] + b"Connection: close\r\n\r\n"


async def final_answer(store: Reader, writer: Writer) -> Message:
    """Return the answer's head; "100 Continue", which the client waits for, goes ahead."""
    while (answer := await Message.read(store)).status < 200:
        await send(writer, answer.head)
    return answer


async def pass_on(source: Reader, target: Writer | None, length: int | None) -> None:
    """Copy so many bytes, or all there are; to a target that went away, nothing more."""
    left = length
    while left is None or left > 0:
        piece = await source.read(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        if target is not None:
            with contextlib.suppress(ConnectionError):
                await send(target, piece)


async def send(writer: Writer, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def answer_of(status: int, body: bytes, content_type: str) -> bytes:
    fields = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"HTTP/1.1 {status} Proxy\r\n{fields}\r\n\r\n".encode() + body


def json_of(content: object) -> bytes:
    return answer_of(200, json.dumps(content).encode(), "application/json")


def reset(writer: Writer) -> None:
    """End the connection by RST, as a machine that was switched off does."""
    if (connection := writer.get_extra_info("socket")) is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def close(writer: Writer) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
