"""Whatever is sent, the answer is one of ours: never a 500, never half a result."""

import base64
import json
import random
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from documents.models import Batch, Document, Workspace
from tests.factories import make_batch, make_document, make_user

pytestmark = pytest.mark.django_db
# The same in every process that collects these tests.
ID = "6f1c2a4e-9d3b-4c57-8e21-0b7a5d94c3f8"
ODD: list[str | bytes] = [
    "",
    "\x00",
    "a\x00b",
    "-1",
    "0",
    "9" * 24,
    "9" * 5000,
    "1e9",
    "NaN",
    "null",
    "[]",
    "é",
    "🦄",
    "'",
    "%",
    "\\",
    "../..",
    "x" * 5000,
    ID,
    "{" + ID + "}",
    "١٢",
    "ready,failed",
    ",,",
    b"\xed\xa0\x80",
]
BODIES = [
    b"",
    b"null",
    b"1",
    b"[]",
    b"{",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"1e400",
    b"9" * 5000,
    b"NaN",
    b'{"documents": null}',
    b'{"documents": {}}',
    b'{"documents": [null]}',
    b'{"documents": [[]]}',
    b'{"documents": [{}]}',
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    1e308,
    "",
    "\x00",
    "\ud800",
    [],
    {},
    ["a"],
    "x" * 20_000,
    "../x",
    ID,
    2**62,
    2**63,
    -(2**63),
    "\u202e",
    "t\u00ebxt/plain",
    "text/plain\n",
    "a" * 64 + "\n",
]


@pytest.fixture
def api() -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(make_user())
    return client


@pytest.fixture
def batch(api: APIClient) -> Batch:
    return make_batch(Workspace.objects.get())


def cursor_of(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def is_ours(response: Any) -> bool:
    """Return whether this is a success or a problem with a code."""
    if response.status_code < 400:
        return True
    is_problem = response.headers["Content-Type"] == "application/problem+json"
    # Nothing is away here: a 503 would be a fault of ours in disguise.
    return bool(is_problem and response.status_code < 500)


def send(api: APIClient, address: str, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    # The stubs know text only; bytes that are no text are the point.
    generic: Any = api.generic
    return generic("POST", f"/api/v1/{address}", raw, content_type="application/json")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        *(("batches", name) for name in ("cursor", "limit")),
        *(
            ("documents", name)
            for name in ("batch", "status", "folder", "type", "q", "cursor", "limit")
        ),
        *(("search", name) for name in ("q", "mode", "folder", "type", "batch", "limit")),
        ("batches/{batch}/events", "since"),
    ],
)
def test_odd_queries_are_answered(api: APIClient, batch: Batch, address: str, name: str) -> None:
    make_document(batch)

    for odd in ODD:
        query: dict[str, str | bytes] = {"q": "gate", name: odd}
        response = api.get(f"/api/v1/{address.format(batch=batch.id)}", query)

        assert is_ours(response), (odd, response.status_code)


@pytest.mark.parametrize("address", ["batches", "documents", "documents?batch={batch}"])
@pytest.mark.parametrize(
    "cursor",
    [
        cursor_of("foo", ID),
        cursor_of("\ud800", ID),
        cursor_of("a\x00", ID),
        cursor_of({"at": "2020-01-01"}, "no id"),
        cursor_of({"at": "0001-01-01T00:00:00+23:59"}, ID),
        cursor_of({"at": "9999-12-31T23:59:59-23:59"}, ID),
        cursor_of({"at": 1}, ID),
        cursor_of({}, ID),
        cursor_of(None, ID),
        cursor_of(["a"], ID),
        cursor_of(ID),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
        base64.urlsafe_b64encode(b'{"a":' * 5000).decode(),
    ],
)
def test_a_forged_cursor_is_no_fault_of_ours(
    api: APIClient, batch: Batch, address: str, cursor: str
) -> None:
    address, _, query = address.format(batch=batch.id).partition("?")

    response = api.get(f"/api/v1/{address}?{query}&cursor={cursor}")

    assert is_ours(response)


@pytest.mark.parametrize("action", ["", "/preflight", "/uploads", "/complete", "/cancel", "/retry"])
def test_odd_bodies_are_answered(api: APIClient, batch: Batch, action: str) -> None:
    address = f"batches/{batch.id}{action}" if action else "batches"

    for body in BODIES:
        response = send(api, address, body)

        assert is_ours(response), (body[:50], response.status_code)


@pytest.mark.parametrize("field", ["client_key", "path", "size", "sha256", "content_type"])
def test_odd_declarations_are_taken_or_leave_nothing(
    api: APIClient, batch: Batch, field: str
) -> None:
    for at, value in enumerate(VALUES):
        before = Document.objects.count()
        declared = {"client_key": f"{field} {at}", "path": "a.txt", "size": 5, field: value}

        response = send(api, f"batches/{batch.id}/uploads", {"documents": [declared]})
        preflight = send(api, f"batches/{batch.id}/preflight", {"documents": [declared]})

        assert is_ours(response), (value, response.content)
        assert is_ours(preflight), (value, preflight.content)
        assert Document.objects.count() - before == (response.status_code == 201), value


@pytest.mark.parametrize("name", ["name", "lane", "expected_documents"])
def test_odd_batches_are_answered(api: APIClient, name: str) -> None:
    for value in VALUES:
        assert is_ours(send(api, "batches", {name: value})), value


def test_odd_ids_to_complete_are_answered(api: APIClient, batch: Batch) -> None:
    document = make_document(batch)

    for value in VALUES:
        body = {"documents": [{"id": value}, {"id": str(document.id)}]}
        assert is_ours(send(api, f"batches/{batch.id}/complete", body)), value


@pytest.mark.parametrize("field", ["path", "client_key"])
def test_what_no_index_can_hold_is_refused_alone(api: APIClient, batch: Batch, field: str) -> None:
    # Nothing that repeats: PostgreSQL would compress it until it fits.
    chance = random.Random(1)
    segments = [
        "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(80)) for _ in range(12)
    ]
    good = {"client_key": "good", "path": "good.txt", "size": 5}
    bad = {"client_key": "bad", "path": "bad.txt", "size": 5, field: "/".join(segments)}

    response = send(api, f"batches/{batch.id}/uploads", {"documents": [good, bad]})

    assert response.status_code == 201
    assert [error["status"] for error in response.json()["errors"]] == [400]
    assert Document.objects.get().client_key == "good"


def test_a_body_beyond_the_limit_is_not_read(api: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    response = send(api, "batches", {"name": "x" * 2000})

    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"])
def test_every_method_is_answered(api: APIClient, batch: Batch, method: str) -> None:
    for address in ("batches", f"batches/{batch.id}/uploads", "documents", "stats", "search"):
        response = api.generic(method, f"/api/v1/{address}")

        assert is_ours(response), (address, response.status_code)


@pytest.mark.parametrize("address", ["nothing", "batches/x", "jobs/x", "batches/%00", f"{ID}/x"])
def test_an_address_that_leads_nowhere_is_a_problem(api: APIClient, address: str) -> None:
    response = api.get(f"/api/v1/{address}")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_page_that_leads_nowhere_is_a_page(client: Client) -> None:
    response = client.get("/nothing-here/")

    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def test_nobody_is_unauthenticated_and_a_session_without_a_csrf_token_is_forbidden() -> None:
    signed_in = Client(enforce_csrf_checks=True)
    signed_in.force_login(make_user())

    nobody = Client().post("/api/v1/batches", {}, content_type="application/json")
    forged = signed_in.post("/api/v1/batches", {}, content_type="application/json")

    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated")
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    assert (forged.status_code, forged.json()["code"]) == (403, "forbidden")
    assert not Batch.objects.exists()
