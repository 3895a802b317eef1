"""Put sockets off while the database or Redis is away, instead of leaving them unheard."""

import asyncio
from typing import Any, Protocol
from weakref import WeakSet

import redis
import structlog
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError

from documents.outages import is_service_away

log = structlog.get_logger(__name__)
CLOSE_TRY_LATER = 1013
# A Redis that hangs neither refuses nor answers.
JOIN_SECONDS = 5.0
WATCH_SECONDS = 2.0
# The layer lets what the network says through as it is.
AWAY = (DatabaseError, redis.RedisError, OSError)


def is_away(error: BaseException) -> bool:
    """Return whether one of AWAY means that a service is away."""
    return isinstance(error, OSError) or is_service_away(error)


class Socket(Protocol):
    async def put_off(self) -> None: ...


class Watch:
    """Puts all sockets of this process off when the layer that feeds them is away.

    The layer itself says nothing: it waits for Redis, and so would everybody who listens.
    """

    def __init__(self) -> None:
        self._sockets: WeakSet[Socket] = WeakSet()
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: Socket) -> None:
        self._sockets.add(socket)
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._run())

    def remove(self, socket: Socket) -> None:
        self._sockets.discard(socket)

    async def _run(self) -> None:
        while self._sockets:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                async with asyncio.timeout(JOIN_SECONDS):
                    await get_channel_layer().group_send("watch", {"type": "watch"})
            except AWAY as error:
                log.warning("redis_away", error=repr(error))
                for socket in list(self._sockets):
                    await socket.put_off()


class TryLater:
    """Answers a handshake that finds a service away; what is further in has its own answer."""

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Pass on; close with "try again later" when nothing has been answered yet."""
        answered = False

        async def note(message: Any) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._application(scope, receive, note)
        except AWAY as error:
            if answered or not is_away(error):
                raise
            log.warning("socket_put_off", error=repr(error))
            # A close without an accept tells the browser nothing but a failure.
            await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
            await send({"type": "websocket.close", "code": CLOSE_TRY_LATER, "reason": None})


watch = Watch()
