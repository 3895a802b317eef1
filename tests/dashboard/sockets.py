"""A browser's end of a socket, in process; the one of Channels wants a server we do not ship."""

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator


class Socket:
    """Speak the websocket messages of ASGI with an application."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        communicator: Any = ApplicationCommunicator  # asgiref has no types for it.
        self._end = communicator(application, scope)

    async def connect(self) -> bool:
        """Open; return whether the application accepted."""
        await self._end.send_input({"type": "websocket.connect"})
        return bool((await self._end.receive_output())["type"] == "websocket.accept")

    async def say(self, text: str) -> None:
        await self._end.send_input({"type": "websocket.receive", "text": text})

    async def hear(self) -> dict[str, Any]:
        """Return the next frame."""
        message = await self._end.receive_output()
        assert message["type"] == "websocket.send", message
        frame: dict[str, Any] = json.loads(message["text"])
        return frame

    async def is_silent(self, seconds: float = 0.2) -> bool:
        """Return whether nothing is said for a while."""
        return bool(await self._end.receive_nothing(timeout=seconds))

    async def closed(self) -> int:
        """Return the code that the application closes with next."""
        message = await self._end.receive_output()
        assert message["type"] == "websocket.close", message
        return int(message["code"])

    async def disconnect(self) -> None:
        await self._end.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._end.wait()
