"""The page of a document shows its pages as they look, beside their text."""

from typing import Any

import pytest
from django.test import Client

from documents.models import Document
from documents.states import Status
from processing.models import PageText
from tests.factories import make_batch, make_document, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> Any:
    return make_user()


@pytest.fixture
def browser(client: Client, user: Any) -> Client:
    client.force_login(user)
    return client


def readable(user: Any, content_type: str, **fields: Any) -> Document:
    """Return a document of 12 pages, all but the last with text."""
    batch = make_batch(user.memberships.get().workspace)
    stored = {"stored_key": "stored/a", "sha256": "ab" * 32, "content_type": content_type}
    document = make_document(
        batch, status=Status.READY, path="Letters/report <1>.pdf", pages=12, **(stored | fields)
    )
    PageText.objects.bulk_create(
        PageText(
            workspace=batch.workspace,
            document=document,
            number=number,
            text=f"Page {number}." if number < 12 else "",
        )
        for number in range(1, 13)
    )
    return document


def html(browser: Client, document: Document, query: str = "") -> str:
    return browser.get(f"/documents/{document.id}/{query}").content.decode()


def test_each_page_has_its_picture_and_says_which_it_is(browser: Client, user: Any) -> None:
    document = readable(user, "application/pdf", thumbnail_width=320, thumbnail_height=200)

    page = html(browser, document, "?page=12")

    assert page.count("data-page-image") == 2
    assert f'src="/api/v1/documents/{document.id}/pages/12" width="320" height="200"' in page
    assert 'alt="Page 12 of report &lt;1&gt;.pdf"' in page
    assert page.count('loading="lazy"') == 2


def test_a_picture_keeps_its_place_before_there_is_a_thumbnail(browser: Client, user: Any) -> None:
    page = html(browser, readable(user, "image/tiff"))

    assert 'viewBox="0 0 210 297"' in page


@pytest.mark.parametrize(
    ("content_type", "fields"),
    [
        ("text/plain", {}),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", {}),
        ("application/pdf", {"stored_key": ""}),
    ],
)
def test_what_has_no_pages_to_look_at_shows_its_text_alone(
    browser: Client, user: Any, content_type: str, fields: dict[str, Any]
) -> None:
    page = html(browser, readable(user, content_type, **fields))

    assert "data-page-image" not in page
    assert "Page 1." in page
