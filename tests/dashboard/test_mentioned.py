"""Pages lead from what a document mentions to everything that mentions it."""

from typing import Any

import pytest
from django.test import Client

from dashboard.presentation import ENTITY_LABELS
from documents.models import Batch
from processing.enrichment import Kind
from processing.search import semantic
from tests.factories import make_batch, make_user
from tests.processing.mentioning import make_mentioning
from tests.processing.search_library import LAKE, CompassEmbedder

pytestmark = pytest.mark.django_db
ADA = "email:ada@example.org"
LINK = "entity=email%3Aada%40example.org"


@pytest.fixture
def batch(client: Client, monkeypatch: pytest.MonkeyPatch) -> Batch:
    compass = CompassEmbedder()
    monkeypatch.setattr(semantic, "get_embedder", lambda: compass)
    user = make_user()
    client.force_login(user)
    return make_batch(user.memberships.get().workspace, created_by=user)


def page(client: Client, path: str, **given: Any) -> str:
    answer = client.get(path, given)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_kind_has_a_name_for_people() -> None:
    assert list(ENTITY_LABELS) == list(Kind)


def test_a_document_shows_what_it_mentions_and_leads_to_a_search(
    client: Client, batch: Batch
) -> None:
    document = make_mentioning(batch, LAKE, ADA)

    shown = page(client, f"/documents/{document.id}/")

    assert "E-mail" in shown
    assert LINK in shown


def test_a_search_for_an_entity_needs_no_words(client: Client, batch: Batch) -> None:
    make_mentioning(batch, LAKE, ADA, path="here.txt")
    make_mentioning(batch, LAKE, path="elsewhere.txt")

    shown = page(client, "/search/", entity=ADA)

    assert "here.txt" in shown
    assert "elsewhere.txt" not in shown
    assert "Mentions ada@example.org" in shown


def test_the_hits_of_a_search_lead_to_narrower_ones(client: Client, batch: Batch) -> None:
    make_mentioning(batch, LAKE, ADA)

    assert LINK in page(client, "/search/", q="lantern")


def test_what_is_mentioned_is_shown_as_text(client: Client, batch: Batch) -> None:
    document = make_mentioning(batch, LAKE, "person:<script>alert(1)</script>")

    assert "<script>alert" not in page(client, f"/documents/{document.id}/").lower()


def test_an_entity_that_is_none_is_a_page_that_does_not_exist(client: Client, batch: Batch) -> None:
    assert client.get("/search/", {"entity": "animal:cat"}).status_code == 404
