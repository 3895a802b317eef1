import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from config.asgi import application
from dashboard import consumers
from documents.models import Batch
from processing.numbering import number_events
from tests.dashboard.sockets import Socket
from tests.factories import make_batch, make_document, make_user

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = (b"origin", b"http://localhost")


@pytest.fixture(autouse=True)
async def closed_connections() -> AsyncIterator[None]:
    """Leave no connection behind in the thread that database calls ran in."""
    yield
    await database_sync_to_async(connections.close_all)()


def sign_in(user: User) -> bytes:
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}".encode()


def make_batch_of_two() -> tuple[User, Batch]:
    user = make_user()
    batch = make_batch(user.memberships.get().workspace)
    make_document(batch)
    make_document(batch)
    number_events()
    return user, batch


def change_password(user: User) -> None:
    user.set_password("another")
    user.save()


async def signed_in(user: User) -> bytes:
    cookie: bytes = await database_sync_to_async(sign_in)(user)
    return cookie


async def made() -> tuple[User, Batch]:
    found: tuple[User, Batch] = await database_sync_to_async(make_batch_of_two)()
    return found


def socket_to(batch_id: Any, cookie: bytes = b"", origin: tuple[bytes, bytes] = ORIGIN) -> Socket:
    headers = [origin, (b"host", b"localhost"), (b"cookie", cookie)]
    return Socket(application, f"/ws/batches/{batch_id}/", headers)


async def test_a_socket_starts_with_the_snapshot() -> None:
    user, batch = await made()
    socket = socket_to(batch.id, await signed_in(user))

    await socket.connect()
    greeting = await socket.hear()

    assert greeting["stream"] == f"batch:{batch.id}"
    assert greeting["to"] == greeting["snapshot"]["seq"] == 2
    assert greeting["snapshot"]["total"] == 2
    await socket.disconnect()


async def test_a_socket_forwards_what_is_relayed_to_its_batch() -> None:
    user, batch = await made()
    socket = socket_to(batch.id, await signed_in(user))
    await socket.connect()
    await socket.hear()

    frame = {"from": 2, "to": 3, "events": []}
    await get_channel_layer().group_send(f"batch.{batch.id.hex}", {"type": "relay", "frame": frame})

    assert await socket.hear() == frame
    await socket.disconnect()


async def test_a_client_that_names_its_number_hears_what_came_after() -> None:
    user, batch = await made()
    socket = socket_to(batch.id, await signed_in(user))
    await socket.connect()
    await socket.hear()

    await socket.say('{"since": 1}')
    answer = await socket.hear()

    assert [event["seq"] for event in answer["events"]] == [2]
    assert (answer["from"], answer["to"]) == (1, 2)
    await socket.disconnect()


@pytest.mark.parametrize("said", ["no json", "[]", '{"group": "batch.x"}', '{"since": true}'])
async def test_anything_else_a_client_says_is_ignored(said: str) -> None:
    user, batch = await made()
    socket = socket_to(batch.id, await signed_in(user))
    await socket.connect()
    await socket.hear()

    await socket.say(said)

    assert await socket.is_silent()
    await socket.disconnect()


async def test_a_frame_over_four_kilobytes_closes_the_socket() -> None:
    user, batch = await made()
    socket = socket_to(batch.id, await signed_in(user))
    await socket.connect()
    await socket.hear()

    await socket.say(json.dumps({"since": 1, "x": "y" * 5000}))

    assert await socket.closed() == consumers.CLOSE_TOO_BIG


async def test_somebody_elses_batch_closes_as_one_that_does_not_exist() -> None:
    _, batch = await made()
    stranger, _ = await made()
    cookie = await signed_in(stranger)

    for batch_id in (batch.id, uuid4()):
        socket = socket_to(batch_id, cookie)
        await socket.connect()
        assert await socket.closed() == consumers.CLOSE_NOT_FOUND


async def test_nobody_signed_in_hears_nothing() -> None:
    _, batch = await made()
    socket = socket_to(batch.id)

    await socket.connect()

    assert await socket.closed() == consumers.CLOSE_SIGNED_OUT


async def test_another_sites_page_cannot_open_a_socket() -> None:
    user, batch = await made()
    socket = socket_to(batch.id, await signed_in(user), (b"origin", b"http://evil.example"))

    assert not await socket.connect()


async def test_signing_out_closes_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.05)
    user, batch = await made()
    cookie = await signed_in(user)
    socket = socket_to(batch.id, cookie)
    await socket.connect()
    await socket.hear()

    await database_sync_to_async(change_password)(user)

    assert await socket.closed() == consumers.CLOSE_SIGNED_OUT
