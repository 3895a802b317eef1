"""The one door to the channel layer: put frames on the groups that sockets listen to.

Frames are hints. Redis may drop any of them: each names the numbers it spans,
active streams repeat their latest number, and a client that sees a gap asks.
"""

import asyncio
import json
import threading
import time
from typing import Any
from uuid import UUID

import redis
import structlog
from channels.layers import get_channel_layer
from django.utils import timezone

from documents import faults, progress
from processing.numbering import Advance

log = structlog.get_logger(__name__)
MAX_FRAME_BYTES = 8_192
REPEAT_SECONDS = 1.5
ACTIVE_SECONDS = 15.0
SEND_TIMEOUT_SECONDS = 2.0


def group_of(stream: str) -> str:
    """Return the group name of a stream: the layer allows no colon in it."""
    kind, _, subject = stream.partition(":")
    return f"{kind}.{UUID(subject).hex}" if subject else kind


class Publisher:
    """Sends frames from a synchronous loop through one event loop of its own.

    The layer keeps its connections per event loop: one for all frames, not one
    for each call.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._active: dict[str, tuple[float, Advance]] = {}
        self._repeated = 0.0
        threading.Thread(target=self._loop.run_forever, name="publisher", daemon=True).start()

    def publish(self, advances: list[Advance]) -> None:
        """Send what is new, and remember the streams as active."""
        for advance in advances:
            self._active[advance.stream] = (time.monotonic(), advance)
        faults.point("relay.before_send")
        self._send(advances)

    def repeat(self) -> None:
        """Tell the latest number of active streams again, so that a lost frame heals."""
        now = time.monotonic()
        if now - self._repeated < REPEAT_SECONDS:
            return
        self._repeated = now
        self._active = {
            stream: (seen, advance)
            for stream, (seen, advance) in self._active.items()
            if now - seen < ACTIVE_SECONDS
        }
        self._send(
            Advance(advance.stream, advance.to, advance.to, [], advance.state)
            for _, advance in self._active.values()
        )

    def close(self) -> None:
        """End the event loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _send(self, advances: Any) -> None:
        frames = [(group_of(advance.stream), frame_of(advance)) for advance in advances]
        if not frames:
            return
        sending = asyncio.run_coroutine_threadsafe(_send_all(frames), self._loop)
        try:
            sending.result(SEND_TIMEOUT_SECONDS)
        except (redis.RedisError, OSError, TimeoutError) as error:
            sending.cancel()
            log.warning("relay_lost", frames=len(frames), error=str(error))


async def _send_all(frames: list[tuple[str, dict[str, Any]]]) -> None:
    layer = get_channel_layer()
    for group, frame in frames:
        await layer.group_send(group, {"type": "relay", "frame": frame})


def frame_of(advance: Advance) -> dict[str, Any]:
    """Return the frame of the wire format; without its events when they are too large."""
    frame = {
        "stream": advance.stream,
        "from": advance.came_from,
        "to": advance.to,
        "events": advance.events,
        "progress": progress.shown(advance.state, advance.to, timezone.now()),
    }
    if len(json.dumps(frame)) > MAX_FRAME_BYTES:
        frame["events"] = None
    return frame
