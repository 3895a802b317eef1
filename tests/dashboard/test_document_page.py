"""The page of one document: its text, and what can be done with it."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from documents.models import Batch, Document
from documents.states import Status
from tests.factories import make_document

pytestmark = pytest.mark.django_db


def test_a_document_opens_at_the_page_of_the_hit_with_its_words_marked(
    browser: Client, document: Document
) -> None:
    html = browser.get(f"/documents/{document.id}/?page=13&q=otter").content.decode()

    assert re.findall(r'id="page-(\d+)"', html) == [str(n) for n in range(11, 21)]
    assert "Page 13 tells of &lt;<mark>otters</mark>&gt;." in html


def test_a_page_beyond_the_end_opens_the_last(browser: Client, document: Document) -> None:
    html = browser.get(f"/documents/{document.id}/?page=999").content.decode()

    assert re.findall(r'id="page-(\d+)"', html) == ["21", "22", "23", "24", "25"]


def test_a_duplicate_shows_the_text_of_its_original(
    browser: Client, batch: Batch, document: Document
) -> None:
    copy = make_document(batch, path="copy.txt", status=Status.DUPLICATE, duplicate_of=document)

    html = browser.get(f"/documents/{copy.id}/").content.decode()

    assert "Same bytes as" in html
    assert "Page 1 tells of" in html


def test_a_page_too_long_for_a_browser_is_cut_and_says_so(
    browser: Client, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.queries.CHARACTERS_SHOWN", 6)

    html = browser.get(f"/documents/{document.id}/").content.decode()

    assert "Page 1</div>" in html
    assert "goes on for 25 characters" in html


def test_a_cancelled_document_shows_no_text(browser: Client, document: Document) -> None:
    Document.objects.filter(id=document.id).update(status=Status.CANCELLED)

    assert "Page 1 tells of" not in browser.get(f"/documents/{document.id}/").content.decode()


def test_deleting_a_document_asks_first_and_needs_no_script(
    browser: Client, document: Document
) -> None:
    html = browser.get(f"/documents/{document.id}/").content.decode()
    asked = browser.get(f"/documents/{document.id}/delete/").content.decode()
    still_there = Document.objects.filter(id=document.id).exists()

    told = browser.post(f"/documents/{document.id}/delete/", follow=True).content.decode()

    assert f'href="/documents/{document.id}/delete/"' in html
    assert f"Delete {document.name}?" in asked
    assert "cannot be undone" in asked
    assert still_there
    assert "The document is deleted." in told
    assert not Document.objects.filter(id=document.id).exists()


def test_reading_anew_is_offered_where_bytes_are_stored(
    browser: Client, document: Document
) -> None:
    without_bytes = browser.get(f"/documents/{document.id}/").content.decode()
    stored = {"stored_key": "stored/x", "processed_at": timezone.now()}
    Document.objects.filter(id=document.id).update(status=Status.READY, **stored)
    with_bytes = browser.get(f"/documents/{document.id}/").content.decode()

    told = browser.post(f"/documents/{document.id}/reprocess/", follow=True).content.decode()

    assert "Read anew" not in without_bytes
    assert f'action="/documents/{document.id}/reprocess/"' in with_bytes
    assert "found as it was read before" in told
    assert "Page 1 tells of" in told


def test_what_cannot_be_read_anew_says_why(browser: Client, document: Document) -> None:
    told = browser.post(f"/documents/{document.id}/reprocess/", follow=True).content.decode()

    assert "are not stored" in told
