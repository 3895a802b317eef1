"""Search and figures over HTTP."""

from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from documents.errors import ProviderError
from documents.models import Batch
from documents.states import Status
from processing.search import semantic
from tests.factories import make_batch, make_document, make_user
from tests.processing.search_library import NORTH, CompassEmbedder, make_readable

pytestmark = pytest.mark.django_db
LAKE = "The lantern by the lake was lit every evening."


@pytest.fixture(autouse=True)
def embedder(monkeypatch: pytest.MonkeyPatch) -> CompassEmbedder:
    compass = CompassEmbedder()
    monkeypatch.setattr(semantic, "get_embedder", lambda: compass)
    return compass


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


def test_search_answers_in_the_words_of_the_contract(api: APIClient, batch: Batch) -> None:
    document = make_readable(batch, LAKE, path="trips/lake.txt", vectors=[NORTH])

    answer = api.get("/api/v1/search", {"q": "lanterns", "explain": "true"})

    assert answer.status_code == 200
    assert answer.json() == {
        "hits": [
            {
                "document": str(document.id),
                "path": "trips/lake.txt",
                "folder": "trips",
                "name": "lake.txt",
                "content_type": "text/plain",
                "page": 1,
                "snippet": "The <mark>lantern</mark> by the lake was lit every evening.",
                "score": pytest.approx(2 / 61, abs=1e-6),
                "thumbnail": None,
                "placeholder": "",
                "why": {
                    "keyword_rank": 1,
                    "semantic_rank": 1,
                    "cosine": 1.0,
                    "terms": ["lantern"],
                },
            }
        ],
        "coverage": {"searchable": 1, "total": 1},
    }


def test_search_says_what_was_left_out(
    api: APIClient, batch: Batch, embedder: CompassEmbedder
) -> None:
    make_readable(batch, LAKE)
    embedder.error = ProviderError("The embedding service does not answer.")

    hybrid = api.get("/api/v1/search", {"q": "lantern"})
    by_meaning = api.get("/api/v1/search", {"q": "lantern", "mode": "semantic"})

    assert hybrid.json()["degraded"] == "semantic"
    assert len(hybrid.json()["hits"]) == 1
    assert by_meaning.status_code == 503
    assert by_meaning["Retry-After"]
    assert by_meaning.json()["code"] == "provider"


def test_search_narrows_by_every_filter(api: APIClient, batch: Batch) -> None:
    make_readable(batch, LAKE, path="a/in.txt")
    make_readable(batch, LAKE, path="b/out.txt")
    given = {"q": "lantern", "mode": "keyword", "type": "text/plain", "batch": str(batch.id)}

    answer = api.get("/api/v1/search", {**given, "folder": "a", "limit": "5"})

    assert [hit["path"] for hit in answer.json()["hits"]] == ["a/in.txt"]


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"q": "a\x00"}, 400, "invalid"),
        ({"q": "x" * 1001}, 400, "invalid"),
        ({"q": "x", "mode": "psychic"}, 400, "invalid"),
        ({"q": "x", "limit": "many"}, 400, "invalid"),
        ({"q": "x", "limit": "-1"}, 400, "invalid"),
        ({"q": "x", "explain": "perhaps"}, 400, "invalid"),
        ({"q": "x", "batch": "not-an-id"}, 404, "not_found"),
        ({"q": "x", "batch": str(uuid4())}, 404, "not_found"),
    ],
)
def test_bad_search_is_refused_with_a_problem(
    api: APIClient, given: dict[str, str], status: int, code: str
) -> None:
    answer = api.get("/api/v1/search", given)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"


def test_batch_of_another_workspace_is_not_there(api: APIClient) -> None:
    foreign = make_batch(make_user().memberships.get().workspace)

    answer = api.get("/api/v1/search", {"q": "x", "batch": str(foreign.id)})

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["search?q=x", "stats"])
def test_stranger_is_asked_to_sign_in(path: str) -> None:
    assert APIClient().get(f"/api/v1/{path}").status_code in (401, 403)


def test_stats_count_the_documents_of_the_callers_workspaces(api: APIClient, batch: Batch) -> None:
    original = make_readable(batch, LAKE, vectors=[NORTH])
    make_document(batch, status=Status.DUPLICATE, duplicate_of=original)
    make_readable(batch, LAKE, path="b.txt", status=Status.PROCESSING)
    make_document(batch, status=Status.FAILED, uploaded_at=original.created_at)
    make_document(make_batch())

    answer = api.get("/api/v1/stats").json()

    assert answer["documents"] == {
        "total": 4,
        "uploaded": 1,
        "processed": 3,
        "embedded": 2,
        "failed": 1,
    }
    assert answer["as_of"].endswith("Z")


def test_stats_are_counted_once_for_calls_in_a_row(
    api: APIClient, batch: Batch, django_assert_num_queries: Any
) -> None:
    first = api.get("/api/v1/stats").json()
    make_document(batch)

    with django_assert_num_queries(0):
        assert api.get("/api/v1/stats").json() == first


def test_stats_of_one_user_are_not_shown_to_another(api: APIClient, batch: Batch) -> None:
    make_document(batch)
    api.get("/api/v1/stats")
    stranger = APIClient()
    stranger.force_authenticate(make_user())

    assert stranger.get("/api/v1/stats").json()["documents"]["total"] == 0
