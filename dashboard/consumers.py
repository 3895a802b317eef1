"""Sockets: a snapshot first, then whatever the conductor relays about the batch.

When the database or Redis is away, a socket is closed with 1013, "try again later": the
page polls meanwhile and comes back with jitter. No socket stays open unheard.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import Any, cast
from uuid import UUID

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from dashboard.try_later import AWAY, CLOSE_TRY_LATER, JOIN_SECONDS, is_away, watch
from documents import selectors
from documents.errors import NotFoundError
from documents.models import Batch

log = structlog.get_logger(__name__)

MAX_CLIENT_FRAME = 4096
RECHECK_SECONDS = 60.0
CLOSE_SIGNED_OUT = 4401
CLOSE_NOT_FOUND = 4404
CLOSE_TOO_BIG = 1009


class BatchConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # untyped base
    """Tell one batch's story to somebody who may hear it.

    The group's name comes from the batch that the selector handed out, never
    from the client. All a client can say is the number it has seen.
    """

    batch: Batch | None = None
    group: str = ""
    recheck: "asyncio.Task[None] | None" = None
    _is_closed = False

    async def connect(self) -> None:
        await self.accept()
        async with self._or_later():
            self.batch = await self._authorised_batch()
            if self.batch is None:
                return
            self.group = f"batch.{self.batch.id.hex}"
            # Join before looking: what happens in between is then told twice, not never.
            async with asyncio.timeout(JOIN_SECONDS):
                await self.channel_layer.group_add(self.group, self.channel_name)
            await self._send(await database_sync_to_async(_greeting)(self.batch))
            self.recheck = asyncio.create_task(self._recheck())
            watch.add(self)

    async def disconnect(self, code: int) -> None:
        if self.recheck is not None:
            self.recheck.cancel()
        self._is_closed = True
        watch.remove(self)
        if self.group:
            # Nothing is left to close: a layer that is away has forgotten the group as well.
            async with self._or_later():
                await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if len(text_data or bytes_data or "") > MAX_CLIENT_FRAME:
            await self.close(CLOSE_TOO_BIG)
            return
        since = _since(text_data)
        if self.batch is not None and since is not None:
            async with self._or_later():
                await self._send(await database_sync_to_async(_answer)(self.batch, since))

    async def relay(self, message: dict[str, Any]) -> None:
        """Forward a frame that the conductor put on the group."""
        await self._send(message["frame"])

    async def _send(self, frame: dict[str, Any]) -> None:
        if self._is_closed:
            return
        await self.send(text_data=json.dumps(frame))

    async def put_off(self) -> None:
        """Close with "try again later"; the page polls until it can come back."""
        if not self._is_closed:
            await self.close(CLOSE_TRY_LATER)

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        self._is_closed = True
        await super().close(code, reason)

    @asynccontextmanager
    async def _or_later(self) -> AsyncIterator[None]:
        """Put the socket off when the body finds a service away."""
        try:
            yield
        except AWAY as error:
            if not is_away(error):
                raise
            log.warning("socket_put_off", error=repr(error))
            await self.put_off()

    async def _authorised_batch(self) -> Batch | None:
        """Return the batch, or close with the reason and return None."""
        batch_id = self.scope["url_route"]["kwargs"]["batch_id"]
        batch: Batch | None
        code, batch = await database_sync_to_async(_batch_for)(self.scope["session"], batch_id)
        if code:
            await self.close(code)
        return batch

    async def _recheck(self) -> None:
        """Close once the session ends or the membership does."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            batch = None
            async with self._or_later():
                batch = await self._authorised_batch()
            if batch is None:
                return


def _batch_for(session: SessionBase, batch_id: str) -> tuple[int, Batch | None]:
    """Return the batch that whoever holds this session may see, or the closing code."""
    request = HttpRequest()
    # A fresh store: the one of the scope remembers what it read when the socket opened.
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session.session_key)
    user = get_user(request)
    if not user.is_authenticated:
        return CLOSE_SIGNED_OUT, None
    with suppress(NotFoundError, ValueError):
        return 0, selectors.get_batch_for(user, UUID(batch_id))
    return CLOSE_NOT_FOUND, None


def _greeting(batch: Batch) -> dict[str, Any]:
    progress = selectors.progress_of([batch.id])[batch.id]
    return {"stream": f"batch:{batch.id}", "snapshot": progress, "to": progress["seq"]}


def _answer(batch: Batch, since: int) -> dict[str, Any]:
    return {"stream": f"batch:{batch.id}", **selectors.events_since(batch, since)}


def _since(text: str | None) -> int | None:
    """Return the number in `{"since": N}`; None for anything else a client may send."""
    try:
        said = json.loads(text or "")
    except ValueError:
        return None
    number = said.get("since") if isinstance(said, dict) else None
    is_number = isinstance(number, int) and not isinstance(number, bool)
    return cast(int, number) if is_number else None  # checked one line above
