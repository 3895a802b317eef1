"""What a worker and its sandbox server say to each other: JSON in length-prefixed frames.

Nothing is pickled anywhere in the sandbox: unpickling what a hijacked parser
wrote would run its code in the worker.
"""

import json
import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

RECEIVE_BYTES = 65536
# More than one call ever sends, so that a kernel that merges two messages loses none.
RECEIVE_FDS = 32
LENGTH_BYTES = 4


def send(control: socket.socket, message: Mapping[str, JSON], fds: Sequence[int] = ()) -> None:
    """Send one message; the descriptors travel with its first byte."""
    payload = json.dumps(message).encode()
    frame = len(payload).to_bytes(LENGTH_BYTES, "big") + payload
    sent = socket.send_fds(control, [frame], list(fds)) if fds else 0
    control.sendall(frame[sent:])


class Inbox:
    """Cuts the stream of a control socket into messages, and keeps the descriptors in order."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def receive(self) -> list[dict[str, JSON]]:
        """Wait for bytes; return the messages they complete. Raises EOFError at the end."""
        data, fds, _, _ = socket.recv_fds(self._control, RECEIVE_BYTES, RECEIVE_FDS)
        for fd in fds:
            os.set_inheritable(fd, False)
        self._fds.extend(fds)
        if not data:
            raise EOFError
        self._buffer += data
        return self._complete()

    def take_fds(self, count: int) -> list[int]:
        """Return the oldest descriptors that no message has claimed yet."""
        return [self._fds.popleft() for _ in range(count)]

    def _complete(self) -> list[dict[str, JSON]]:
        messages = []
        while len(self._buffer) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if len(self._buffer) < end:
                break
            messages.append(json.loads(self._buffer[LENGTH_BYTES:end]))
            del self._buffer[:end]
        return messages
