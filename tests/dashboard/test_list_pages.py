"""Pages that list documents: of an upload, of a batch, of the whole library."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from documents.models import Batch, Document
from documents.states import Status
from processing.numbering import number_events
from tests.factories import make_batch, make_document

pytestmark = pytest.mark.django_db


def test_the_batch_page_says_how_many_wait_for_their_bytes(browser: Client, batch: Batch) -> None:
    make_document(batch)
    make_document(batch)
    make_document(batch, status=Status.READY)
    number_events()

    html = browser.get(f"/batches/{batch.id}/").content.decode()

    assert "2 of 3 are waiting for their bytes." in html
    assert "only what is missing is sent" in html
    assert f'href="/upload/?batch={batch.id}"' in html


def test_what_expired_can_be_dropped_again_too(browser: Client, batch: Batch) -> None:
    make_document(batch, status=Status.EXPIRED)
    number_events()

    for address in (f"/batches/{batch.id}/", f"/upload/?batch={batch.id}"):
        assert "1 of 1 is waiting for its bytes." in browser.get(address).content.decode()


def test_a_batch_that_misses_nothing_shows_no_drop_zone(browser: Client, batch: Batch) -> None:
    make_document(batch, status=Status.READY)
    number_events()

    html = browser.get(f"/batches/{batch.id}/").content.decode()

    assert re.search(r"<section[^>]*data-gaps [^>]*hidden", html)


def test_the_list_of_an_upload_is_a_tree_that_keys_can_walk(browser: Client) -> None:
    html = browser.get("/upload/").content.decode()

    tree = re.search(r'<div[^>]*role="tree"[^>]*>', html)
    assert tree
    assert 'tabindex="0"' in tree[0]
    assert 'aria-label="' in tree[0]
    for action in ("pause", "resume", "retry", "cancel"):
        assert f'data-act="{action}"' in html


def test_a_failed_document_shows_its_sentence_and_a_retry(browser: Client, batch: Batch) -> None:
    failed = make_document(
        batch,
        status=Status.FAILED,
        error_code="encrypted",
        error_detail="It is protected by a <password>.",
    )
    number_events()

    for address in (f"/batches/{batch.id}/?show=trouble", f"/documents/{failed.id}/"):
        html = browser.get(address).content.decode()
        assert "It is protected by a &lt;password&gt;." in html
        assert "/retry/" in html


def test_rows_of_another_state_are_filtered_out(browser: Client, batch: Batch) -> None:
    make_document(batch, path="Reports/fine.txt", status=Status.READY)
    make_document(batch, path="Reports/broken.txt", status=Status.FAILED)

    html = browser.get(f"/batches/{batch.id}/?show=trouble").content.decode()

    assert "broken.txt" in html
    assert "fine.txt" not in html


def test_cancelling_a_batch_ends_what_has_not_ended_and_says_how_many(
    browser: Client, batch: Batch
) -> None:
    waiting = make_document(batch)

    response = browser.post(f"/batches/{batch.id}/cancel/", follow=True)

    waiting.refresh_from_db()
    assert waiting.status == Status.CANCELLED
    assert "1 document is cancelled." in response.content.decode()


def test_what_changes_something_is_never_a_get(browser: Client, batch: Batch) -> None:
    assert browser.get(f"/batches/{batch.id}/cancel/").status_code == 405


def test_the_library_turns_its_pages_without_losing_a_document(
    browser: Client, batch: Batch
) -> None:
    now = timezone.now()
    for number in range(130):
        make_document(batch, path=f"n/{number:03}.txt", created_at=now - timedelta(seconds=number))

    first = browser.get("/library/?folder=n").content.decode()
    following = re.search(r'href="(\?[^"]*cursor=[^"]*)"', first)
    assert following
    second = browser.get("/library/" + following[1].replace("&amp;", "&")).content.decode()

    names = re.findall(r">(\d{3}\.txt)<", first + second)
    assert names == [f"{number:03}.txt" for number in range(130)]


@pytest.mark.parametrize("address", ["/library/", "/batches/", "/batches/{batch}/"])
def test_a_longer_list_asks_no_more_questions(
    browser: Client,
    batch: Batch,
    address: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(30):
        make_document(batch)
        make_batch(batch.workspace)

    with django_assert_max_num_queries(8):
        browser.get(address.format(batch=batch.id))


def test_a_cursor_and_a_folder_survive_in_links(browser: Client, document: Document) -> None:
    html = browser.get("/library/?folder=Reports&show=searchable").content.decode()

    assert 'href="?folder=Reports&amp;show=trouble"' in html
