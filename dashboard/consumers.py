"""Sockets: a snapshot first, then whatever the conductor relays about the batch."""

import asyncio
import json
from contextlib import suppress
from importlib import import_module
from typing import Any, cast
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from documents import selectors
from documents.errors import NotFoundError
from documents.models import Batch

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

    async def connect(self) -> None:
        await self.accept()
        self.batch = await self._authorised_batch()
        if self.batch is None:
            return
        self.group = f"batch.{self.batch.id.hex}"
        # Join before looking: what happens in between is then told twice, not never.
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self._send(await database_sync_to_async(_greeting)(self.batch))
        self.recheck = asyncio.create_task(self._recheck())

    async def disconnect(self, code: int) -> None:
        if self.recheck is not None:
            self.recheck.cancel()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if len(text_data or bytes_data or "") > MAX_CLIENT_FRAME:
            await self.close(CLOSE_TOO_BIG)
            return
        since = _since(text_data)
        if self.batch is not None and since is not None:
            await self._send(await database_sync_to_async(_answer)(self.batch, since))

    async def relay(self, message: dict[str, Any]) -> None:
        """Forward a frame that the conductor put on the group."""
        await self._send(message["frame"])

    async def _send(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(frame))

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
            if await self._authorised_batch() is None:
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
