"""Whatever a stranger asks for, nothing of another workspace comes back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
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
from documents import derived
from documents.derived import Derived
from documents.models import Batch, Document, PageImage
from documents.services.moves import move
from documents.services.uploads import Declaration, register
from documents.states import Status
from documents.storage import get_local_storage
from documents.storage.http import StorageApp
from processing.enrichment import Entity as Found
from processing.enrichment import Kind
from processing.enrichment.entities import Place
from processing.models import (
    Chunk,
    Entity,
    ImageVector,
    IngestJob,
    PageText,
    StageName,
    StageRun,
)
from processing.numbering import number_events
from processing.search import Mode, semantic
from processing.stages.enrich import Enriched
from tests.addresses import IDS, addresses, fill
from tests.chaos.racing import make_ready, wipe
from tests.chaos.trials import Trials
from tests.dashboard.sockets import Socket
from tests.documents.storage_backends import LocalBackend
from tests.documents.storage_server import CountedApp, serve
from tests.factories import make_batch, make_user
from tests.processing.search_library import MODEL, NORTH, CompassEmbedder

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
NOTHING = "A stranger gets nothing of another workspace: 404, and none of its bytes"
N = (2, 10)
STEPS = 60
READING = ("get", "head")
CLOSE_NOT_FOUND = 4404
# What both workspaces write about: their documents differ in nothing but their marks.
WORDS = "the lantern by the lake was lit every evening"


@dataclass(frozen=True, slots=True)
class Home:
    """A workspace with one document that can be found, all of it marked."""

    user: User
    batch: Batch
    document: Document
    mark: str
    word: str

    @property
    def ids(self) -> dict[str, str]:
        job = IngestJob.objects.get(document=self.document)
        return {
            "batch_id": str(self.batch.id),
            "document_id": str(self.document.id),
            "job_id": str(job.id),
        }

    def client(self) -> Client:
        # A page that breaks is an answer, too.
        client = Client(raise_request_exception=False)
        client.force_login(self.user)
        return client

    def rows(self) -> list[Any]:
        """Return everything that a stranger could have changed."""
        own = {"workspace": self.batch.workspace_id}
        tables = (Batch, Document, IngestJob, StageRun, Chunk, PageText, Entity, ImageVector)
        return [list(table.objects.filter(**own).order_by("id").values()) for table in tables]


def make_home() -> Home:
    """Return a workspace whose every text has the mark; `word` is in it, and is no mark."""
    user, mark, word = make_user(), f"mark{uuid4().hex}", f"word{uuid4().hex}"
    batch = make_batch(user.memberships.get().workspace, name=f"{mark} batch", created_by=user)
    (document,) = make_ready(StageName.EMBED, 1, batch=batch)
    own = Document.objects.filter(id=document.id)
    key = f"stored/{batch.workspace_id}/{document.id}"
    get_local_storage().put(key, f"{mark} {WORDS} {word}".encode(), "text/plain")
    own.update(
        path=f"{word}/{mark}.txt",
        folder=word,
        name=f"{mark}.txt",
        title=f"{mark} title",
        content_type="application/pdf",
        sha256=document.id.hex * 2,
        stored_key=key,
        processed_at=document.created_at,
        embedded_at=document.created_at,
        pages=2,
        metadata={"author": mark},
    )
    text = f"{WORDS} {word} {mark}"
    Chunk.objects.filter(document=document).update(
        text=text, heading=mark, embedding=list(NORTH), model=MODEL
    )
    PageText.objects.create(workspace=batch.workspace, document=document, number=1, text=text)
    ImageVector.objects.create(
        workspace=batch.workspace, document=document, embedding=list(NORTH), model=MODEL
    )
    move(own, Status.READY)
    number_events()
    document.refresh_from_db()
    Enriched([Found(Kind.EMAIL, word, 1, [Place(1, 0, mark)])])(document)
    add_pictures(document, mark)
    return Home(user, batch, document, mark, word)


def add_pictures(document: Document, mark: str) -> None:
    """Store what stands for every picture of the document, marked like everything else of it."""
    for what in Derived:
        get_local_storage().put(
            derived.key_of(document, what), f"{mark} {what}".encode(), derived.CONTENT_TYPE
        )
    page = derived.key_of(document, derived.page_name(2, uuid4()))
    get_local_storage().put(page, f"{mark} page".encode(), derived.CONTENT_TYPE)
    PageImage.objects.create(
        document=document,
        generation=document.live_generation,
        version=derived.VERSION,
        number=2,
        key=page,
    )
    sizes = dict.fromkeys(("thumbnail_width", "thumbnail_height"), 1)
    sizes |= dict.fromkeys(("image_width", "image_height"), 1)
    Document.objects.filter(id=document.id).update(preview_version=derived.VERSION, **sizes)


@pytest.fixture(autouse=True)
def compass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question points to every chunk: only the scope keeps them apart."""
    embedder = CompassEmbedder()
    monkeypatch.setattr(semantic, "get_embedder", lambda: embedder)
    monkeypatch.setitem(semantic.FLOORS, embedder.model, 0.3)


@pytest.fixture(scope="module")
def backend() -> Iterator[LocalBackend]:
    storage = get_local_storage()
    app = CountedApp(StorageApp(storage))
    with serve(app) as address:
        yield LocalBackend(storage, app, address)


def all_bytes(answer: Any) -> bytes:
    """Return everything that an answer tells, headers included."""
    content = answer.getvalue() if answer.streaming else answer.content
    return str(dict(answer.headers)).encode() + bytes(content)


def a_body(chance: Random, mine: Home, theirs: Home) -> dict[str, Any]:
    """Return a body that some address takes, about their things or mine."""
    declaration = {
        "client_key": theirs.document.client_key,
        "path": f"{theirs.word}/a.txt",
        "size": theirs.document.size,
        "sha256": theirs.document.sha256,
    }
    return chance.choice(
        [
            {},
            {"documents": [{"id": theirs.ids["document_id"]}]},
            {"documents": [{"id": mine.ids["document_id"]}]},
            {"documents": [declaration]},
            {"batch": theirs.ids["batch_id"], "workspace": str(theirs.batch.workspace_id)},
        ]
    )


@pytest.mark.promise("R16", NOTHING, fault="another's ids in every address", trials=N)
def test_anothers_ids_lead_nowhere_in_any_address(trials: Trials) -> None:
    for trial in trials:
        wipe()
        mine, theirs = make_home(), make_home()
        client, before = mine.client(), theirs.rows()
        routes = [route for route, names in addresses() if names & IDS]
        # Each at least once, and then wherever chance leads.
        walk = trial.random.sample(routes, len(routes)) + trial.random.choices(routes, k=STEPS)

        for route in walk:
            method = trial.random.choice(["get", "post", "put", "patch", "delete", "head"])
            action = trial.random.choice(["cancel", "retry", "resume"])
            path = fill(route, theirs.ids, action)
            body = a_body(trial.random, mine, theirs)
            given = {"data": json.dumps(body), "content_type": "application/json"}
            answer = getattr(client, method)(path, **({} if method in READING else given))

            assert answer.status_code in (404, 405), (method, path)
            assert theirs.mark.encode() not in all_bytes(answer), (method, path)

        assert theirs.rows() == before
        assert_owner_sees(theirs)


def assert_owner_sees(home: Home) -> None:
    """The mark is where a stranger looked for it."""
    client = home.client()
    for path in (
        f"/api/v1/documents/{home.document.id}",
        f"/api/v1/documents/{home.document.id}/text",
        f"/api/v1/documents/{home.document.id}/entities",
        f"/api/v1/batches/{home.batch.id}",
        f"/documents/{home.document.id}/",
        f"/batches/{home.batch.id}/",
        f"/api/v1/search?q={home.word}",
        f"/search/?q={home.word}",
        "/api/v1/documents",
        "/library/",
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert home.mark.encode() in all_bytes(answer), path


LISTS = ("/api/v1/batches", "/api/v1/documents", "/api/v1/stats", "/batches/", "/library/")
SEARCHES = ("/api/v1/search", "/search/")


@pytest.mark.promise("R16", NOTHING, fault="another's words, folders and cursors", trials=N)
def test_lists_and_searches_show_nothing_of_another(trials: Trials) -> None:
    for trial in trials:
        wipe()
        mine, theirs = make_home(), make_home()
        client = mine.client()

        for _ in range(STEPS):
            path = trial.random.choice(LISTS + SEARCHES)
            answer = client.get(path, a_query(trial.random, theirs))

            assert answer.status_code in (200, 400, 404), path
            assert theirs.mark.encode() not in all_bytes(answer), path
        for mode in Mode:
            found = client.get("/api/v1/search", {"q": f"{theirs.word} {WORDS}", "mode": mode})
            shown = [hit["document"] for hit in found.json()["hits"]]
            assert shown == [str(mine.document.id)], mode


def a_query(chance: Random, theirs: Home) -> dict[str, str]:
    """Return parameters that would lead to their document, were it mine."""
    query = {
        "q": chance.choice([theirs.word, WORDS, f'"{theirs.word}"', f"{theirs.word} {WORDS}"]),
        "mode": chance.choice(list(Mode)),
        "folder": theirs.word,
        "batch": theirs.ids["batch_id"],
        "status": "ready",
        "explain": "true",
        "facets": "true",
        "entity": f"{Kind.EMAIL}:{theirs.word}",
        "workspace": str(theirs.batch.workspace_id),
        "cursor": chance.choice(["", theirs.ids["document_id"]]),
    }
    return {name: query[name] for name in chance.sample(list(query), chance.randint(1, 5))}


@pytest.mark.promise("R16", NOTHING, fault="another's bytes are declared, by their hash", trials=N)
def test_anothers_hash_gives_no_document(trials: Trials) -> None:
    for trial in trials:
        wipe()
        mine, theirs = make_home(), make_home()
        path = f"{trial.random.randrange(10**9)}.txt"
        probe = Declaration(path, path, theirs.document.size, theirs.document.sha256)

        (upload,) = register(mine.batch, [probe]).uploads
        (own,) = register(theirs.batch, [probe]).uploads

        # The owner is spared the upload; a stranger does not even learn that it exists.
        assert (upload.document.status, upload.put is None) == (Status.AWAITING, False)
        assert (own.document.status, own.put) == (Status.DUPLICATE, None)


@pytest.mark.promise("R16", NOTHING, fault="a signed link, turned to another's object", trials=N)
def test_a_signed_link_opens_nothing_of_another(trials: Trials, backend: LocalBackend) -> None:
    for trial in trials:
        wipe()
        mine, theirs = make_home(), make_home()
        what, their_key = trial.random.choice(list(keys_of(theirs.document).items()))
        link = mine.client().get(f"/api/v1/documents/{mine.document.id}/{what}")["Location"]
        their_path = f"/storage/{their_key}"
        token = link.split("?t=")[1]
        links = [f"{their_path}?t={token}", their_path, f"{their_path}?t="]
        links += [with_key(forged, their_path) for _, forged in backend.tampered(link)]

        for forged in trial.random.sample(links, len(links)):
            method = trial.random.choice(["GET", "HEAD", "PUT", "DELETE"])
            reply = backend.send(method, forged, None, Range="bytes=0-1000")

            assert reply.status == 403, forged
            assert theirs.mark.encode() not in reply.body
        assert mine.mark.encode() in backend.send("GET", link).body


def keys_of(document: Document) -> dict[str, str]:
    """Return where the bytes lie to which a document's addresses lead."""
    pictures = {what.value: derived.key_of(document, what) for what in Derived}
    page = PageImage.objects.get(document=document).key
    return {"download": document.stored_key, "pages/2": page, **pictures}


def with_key(link: str, path: str) -> str:
    return path + "?" + link.partition("?")[2]


@pytest.fixture
async def closed_connections() -> Any:
    """Leave no connection behind in the thread that database calls ran in."""
    yield
    await database_sync_to_async(connections.close_all)()


@pytest.mark.promise("R16", NOTHING, fault="a socket that asks for another's batch", trials=N)
async def test_a_socket_hears_nothing_of_another(trials: Trials, closed_connections: None) -> None:
    for trial in trials:
        mine, theirs, cookie = await database_sync_to_async(two_homes)()

        foreign = socket_to(theirs.batch, cookie)
        await foreign.connect()
        assert await foreign.closed() == CLOSE_NOT_FOUND

        own = socket_to(mine.batch, cookie)
        await own.connect()
        assert theirs.mark not in str(await own.hear())
        for said in trial.random.sample(sayings(theirs), 4):
            await own.say(json.dumps(said))
        for group in (f"batch.{theirs.batch.id.hex}", f"batch.{mine.batch.id.hex}"):
            frame = {"from": 0, "to": 99, "events": [{"stream": group}]}
            await get_channel_layer().group_send(group, {"type": "relay", "frame": frame})
        heard = await own.hear()
        while heard.get("to") != 99:
            assert heard["stream"] == f"batch:{mine.batch.id}"
            assert theirs.mark not in str(heard)
            heard = await own.hear()

        # Of the two that were relayed, in their order, only its own.
        assert heard["events"] == [{"stream": f"batch.{mine.batch.id.hex}"}]
        await own.disconnect()
        await foreign.disconnect()


def two_homes() -> tuple[Home, Home, bytes]:
    wipe()
    mine, theirs = make_home(), make_home()
    cookie = mine.client().cookies[settings.SESSION_COOKIE_NAME].value
    return mine, theirs, f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()


def socket_to(batch: Batch, cookie: bytes) -> Socket:
    origin = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    return Socket(application, f"/ws/batches/{batch.id}/", [*origin, (b"cookie", cookie)])


def sayings(theirs: Home) -> list[dict[str, Any]]:
    batch = str(theirs.batch.id)
    return [
        {"since": 0},
        {"since": 0, "stream": f"batch:{batch}"},
        {"since": -1, "batch": batch, "batch_id": batch},
        {"group": f"batch.{theirs.batch.id.hex}"},
        {"type": "relay", "frame": {"stream": f"batch:{batch}"}},
        {"subscribe": f"batch:{batch}"},
    ]
