"""Search by what documents mention, and what the hits of a search mention."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from documents.models import Batch, Document
from documents.states import Status
from processing.models import Entity
from processing.search import search
from tests.factories import make_batch, make_document, make_user
from tests.processing.mentioning import make_mentioning, mention
from tests.processing.search_library import LAKE, CompassEmbedder, make_readable, paths

pytestmark = pytest.mark.django_db
ADA = "email:ada@example.org"


@pytest.fixture(autouse=True)
def model(embedder: CompassEmbedder) -> None:
    """Meaning is not asked for here."""


def found(user: Any, query: str, *mentioning: str) -> list[str]:
    return paths(search(user, query, mode="keyword", mentioning=mentioning))


def test_only_documents_that_mention_it_are_found(batch: Batch, user: Any) -> None:
    make_mentioning(batch, LAKE, ADA, path="in.txt")
    make_mentioning(batch, LAKE, "email:bob@example.org", path="out.txt")

    assert found(user, "lantern", ADA) == ["in.txt"]


def test_of_several_entities_all_have_to_be_mentioned(batch: Batch, user: Any) -> None:
    make_mentioning(batch, LAKE, ADA, path="one.txt")
    make_mentioning(batch, LAKE, ADA, "date:2024-05-12", path="both.txt")

    assert found(user, "lantern", ADA, "date:2024-05-12") == ["both.txt"]


def test_without_words_what_mentions_it_most_comes_first(batch: Batch, user: Any) -> None:
    seldom = make_readable(batch, LAKE, path="seldom.txt")
    often = make_readable(batch, LAKE, "Another page.", path="often.txt")
    mention(seldom, ADA, count=1)
    mention(often, ADA, count=7)

    results = search(user, "", mentioning=[ADA])

    assert paths(results) == ["often.txt", "seldom.txt"]
    assert [hit.page for hit in results.hits] == [1, 1]


def test_names_are_found_whatever_their_capitals(batch: Batch, user: Any) -> None:
    make_mentioning(batch, LAKE, "person:ada lovelace")

    assert found(user, "", "person:Ada  Lovelace") == ["a.txt"]


def test_a_duplicate_is_found_by_what_its_original_mentions(batch: Batch, user: Any) -> None:
    original = make_mentioning(batch, LAKE, ADA, path="a/original.txt")
    make_document(batch, path="b/copy.txt", status=Status.DUPLICATE, duplicate_of=original)

    results = search(user, "lantern", mode="keyword", folder="b", mentioning=[ADA])

    assert paths(results) == ["b/copy.txt"]


def test_coverage_counts_what_was_searched_and_not_what_mentions_it(
    batch: Batch, user: Any
) -> None:
    make_mentioning(batch, LAKE, ADA)
    make_readable(batch, LAKE, path="b.txt")

    results = search(user, "lantern", mode="keyword", mentioning=[ADA])

    assert (results.coverage.searchable, results.coverage.total) == (2, 2)


def test_what_an_older_reading_mentions_is_not_found(batch: Batch, user: Any) -> None:
    document = make_mentioning(batch, LAKE, ADA)
    Document.objects.filter(id=document.id).update(generation=2, live_generation=2)

    assert found(user, "", ADA) == []


def test_another_workspace_mentions_nothing(batch: Batch, user: Any) -> None:
    foreign = make_mentioning(make_batch(), LAKE, ADA)

    results = search(user, "", mentioning=[ADA], facets=True)

    assert (results.hits, results.facets) == ([], [])
    assert results.message == "Nothing can be searched here yet."
    assert Entity.objects.get().document_id == foreign.id


def test_facets_say_how_many_hits_mention_what(batch: Batch, user: Any) -> None:
    make_mentioning(batch, LAKE, ADA, "date:2024-05-12", path="a.txt")
    make_mentioning(batch, LAKE, ADA, "email:bob@example.org", path="b.txt")
    make_mentioning(batch, "Nothing of the kind.", "email:eve@example.org", path="c.txt")

    facets = search(user, "lantern", mode="keyword", facets=True).facets or []

    assert [(facet.kind, [(v.value, v.documents) for v in facet.values]) for facet in facets] == [
        ("date", [("2024-05-12", 1)]),
        ("email", [("ada@example.org", 2), ("bob@example.org", 1)]),
    ]


def test_facets_are_bounded(batch: Batch, user: Any) -> None:
    make_mentioning(batch, LAKE, *(f"email:{n}@example.org" for n in range(30)))

    (facet,) = search(user, "lantern", mode="keyword", facets=True).facets or []

    assert len(facet.values) == 8


def test_facets_cost_one_query(batch: Batch, user: Any, django_assert_num_queries: Any) -> None:
    make_mentioning(batch, LAKE, ADA)
    with django_assert_num_queries(9):
        search(user, "lantern", mode="keyword")
    with django_assert_num_queries(10):
        search(user, "lantern", mode="keyword", facets=True)


@pytest.mark.parametrize(
    "entity", ["ada", "animal:cat", "email:", "email: ", "email:\x00", f"url:{'x' * 501}"]
)
def test_what_is_no_entity_is_refused(api: APIClient, entity: str) -> None:
    answer = api.get("/api/v1/search", {"q": "x", "entity": entity})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_too_many_entities_are_refused(api: APIClient) -> None:
    answer = api.get("/api/v1/search", {"entity": [ADA] * 6})

    assert answer.json()["detail"] == "6 entities are asked for; the limit is 5."


def test_the_api_takes_entities_without_words_and_tells_facets(
    api: APIClient, batch: Batch
) -> None:
    document = make_mentioning(batch, LAKE, ADA)

    answer = api.get("/api/v1/search", {"entity": ADA, "facets": "true", "mode": "keyword"})

    assert [hit["document"] for hit in answer.json()["hits"]] == [str(document.id)]
    value = {"value": "ada@example.org", "text": "Ada@Example.Org", "documents": 1}
    assert answer.json()["facets"] == [{"kind": "email", "values": [value]}]


def test_entities_of_a_document_are_listed_by_kind_in_pages(api: APIClient, batch: Batch) -> None:
    document = make_mentioning(batch, LAKE, ADA, "date:2024-05-12")
    mention(document, "email:bob@example.org", count=3)
    address = f"/api/v1/documents/{document.id}/entities"

    first = api.get(address, {"limit": 2}).json()
    second = api.get(address, {"limit": 2, "cursor": first["next"]}).json()
    dates = api.get(address, {"kind": "date"}).json()

    listed = [(row["kind"], row["value"], row["count"]) for row in first["results"]]
    assert listed == [("date", "2024-05-12", 1), ("email", "bob@example.org", 3)]
    assert second["next"] is None
    assert second["results"] == [
        {
            "kind": "email",
            "value": "ada@example.org",
            "text": "Ada@Example.Org",
            "count": 1,
            "positions": [{"page": 1, "start": 0, "text": "Ada@Example.Org"}],
        }
    ]
    assert [row["value"] for row in dates["results"]] == ["2024-05-12"]


@pytest.mark.parametrize("given", [{"kind": "animal"}, {"limit": "many"}, {"cursor": "x"}])
def test_a_bad_list_is_refused(api: APIClient, batch: Batch, given: dict[str, str]) -> None:
    document = make_mentioning(batch, LAKE, ADA)

    answer = api.get(f"/api/v1/documents/{document.id}/entities", given)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_entities_of_a_foreign_document_are_not_there(batch: Batch) -> None:
    document = make_mentioning(batch, LAKE, ADA)
    stranger = APIClient()
    stranger.force_authenticate(make_user())

    assert stranger.get(f"/api/v1/documents/{document.id}/entities").status_code == 404


def test_what_is_cancelled_mentions_nothing(api: APIClient, batch: Batch) -> None:
    document = make_mentioning(batch, LAKE, ADA)
    Document.objects.filter(id=document.id).update(status=Status.CANCELLED)

    listed = api.get(f"/api/v1/documents/{document.id}/entities").json()
    hits = api.get("/api/v1/search", {"entity": ADA, "mode": "keyword"}).json()["hits"]

    assert (listed["results"], hits) == ([], [])
