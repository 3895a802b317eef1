"""The search page: what was found, and among how many."""

import pytest
from django.test import Client

from documents.models import Batch, Document
from documents.states import Status
from processing.models import Chunk
from tests.factories import make_document

pytestmark = pytest.mark.django_db


def test_an_empty_question_shows_how_to_ask(browser: Client) -> None:
    html = browser.get("/search/?q=").content.decode()

    assert "Ask anything your documents may answer" in html


def test_a_question_without_an_answer_says_so(browser: Client, document: Document) -> None:
    html = browser.get("/search/?q=zeppelin&mode=keyword").content.decode()

    assert "Nothing found for “zeppelin”" in html


def test_a_hit_names_its_page_and_opens_there(browser: Client, document: Document) -> None:
    Chunk.objects.create(
        workspace=document.workspace,
        document=document,
        ordinal=0,
        page=13,
        start=0,
        end=30,
        text="Page 13 tells of otters & pikes.",
    )

    html = browser.get("/search/?q=otter&mode=keyword").content.decode()

    assert f'href="/documents/{document.id}/?page=13&amp;q=otter#page-13"' in html
    assert "Page 13 tells of <mark>otters</mark> &amp; pikes." in html
    assert "Page 13 · Reports/2024" in html


def test_coverage_is_stated_while_documents_are_on_their_way(
    browser: Client, batch: Batch, document: Document
) -> None:
    make_document(batch, status=Status.UPLOADED)

    html = browser.get("/search/?q=zeppelin&mode=keyword").content.decode()

    assert "Searched 1 of 2 documents so far." in html


def test_what_failed_is_not_said_to_be_on_its_way(
    browser: Client, batch: Batch, document: Document
) -> None:
    make_document(batch, status=Status.FAILED)

    html = browser.get("/search/?q=zeppelin&mode=keyword").content.decode()

    assert "so far" not in html
    assert "on the way" not in html
