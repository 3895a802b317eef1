import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from config.middleware import unavailable
from documents.models import Batch, Document
from documents.states import Status
from processing.models import Chunk, PageText
from processing.numbering import number_events
from tests.factories import make_batch, make_document, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user("ada")


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def batch(user: User) -> Batch:
    return make_batch(user.memberships.get().workspace, name="Reports", created_by=user)


@pytest.fixture
def document(batch: Batch) -> Document:
    document = make_document(
        batch, path="Reports/2024/gates.txt", status=Status.READY, processed_at=timezone.now()
    )
    for number in range(1, 26):
        PageText.objects.create(
            workspace=batch.workspace,
            document=document,
            number=number,
            text=f"Page {number} tells of <otters>.",
        )
    number_events()
    return document


def addresses(batch: Batch, document: Document) -> list[str]:
    return [
        "/upload/",
        f"/upload/?batch={batch.id}",
        "/batches/",
        f"/batches/{batch.id}/",
        f"/batches/{batch.id}/?view=flat&show=searchable",
        "/search/",
        f"/documents/{document.id}/",
        "/library/",
        "/library/?show=trouble&folder=Reports",
    ]


def test_every_page_asks_for_a_sign_in(client: Client, batch: Batch, document: Document) -> None:
    for address in addresses(batch, document):
        response = client.get(address)
        assert response.status_code == 302, address
        assert response["Location"].startswith("/login/?next="), address


def test_every_page_is_shown_to_a_member(browser: Client, batch: Batch, document: Document) -> None:
    for address in addresses(batch, document):
        response = browser.get(address)
        assert response.status_code == 200, address
        html = response.content.decode()
        assert html.count("<h1") == 1, address
        assert "<main" in html, address
        assert 'href="#main"' in html, address


def test_somebody_elses_pages_are_not_found(
    client: Client, batch: Batch, document: Document
) -> None:
    client.force_login(make_user("eve"))

    for address in (
        f"/batches/{batch.id}/",
        f"/documents/{document.id}/",
        f"/upload/?batch={batch.id}",
        f"/search/?q=otters&batch={batch.id}",
    ):
        assert client.get(address).status_code == 404, address
    for address in (
        f"/batches/{batch.id}/cancel/",
        f"/batches/{batch.id}/retry/",
        f"/documents/{document.id}/retry/",
    ):
        assert client.post(address).status_code == 404, address
    assert document.name not in client.get("/library/").content.decode()
    assert batch.name not in client.get("/batches/").content.decode()


@pytest.mark.parametrize("address", ["/batches/{}/", "/documents/{}/", "/upload/?batch={}"])
def test_an_unknown_id_is_not_found(browser: Client, address: str) -> None:
    assert browser.get(address.format(uuid4())).status_code == 404
    assert browser.get(address.format("nonsense")).status_code == 404


def test_a_cursor_that_was_not_given_out_is_not_found(browser: Client, batch: Batch) -> None:
    assert browser.get("/library/?cursor=nonsense").status_code == 404
    assert browser.get(f"/batches/{batch.id}/?cursor=nonsense").status_code == 404


def test_somebody_without_a_workspace_is_told_so(client: Client) -> None:
    client.force_login(User.objects.create_user("nobody"))

    response = client.get("/upload/")

    assert response.status_code == 403
    assert "not a member of any workspace" in response.content.decode()


def test_signing_out_takes_a_post(browser: Client) -> None:
    assert browser.get("/logout/").status_code == 405
    assert browser.post("/logout/").status_code == 302
    assert browser.get("/upload/").status_code == 302


def test_a_wrong_password_says_so_and_keeps_the_name(client: Client, user: User) -> None:
    response = client.post("/login/", {"username": "ada", "password": "wrong"})

    html = response.content.decode()
    assert response.status_code == 200
    assert 'role="alert"' in html
    assert 'value="ada"' in html


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


def test_no_page_may_run_inline_code(browser: Client, document: Document) -> None:
    response = browser.get("/upload/")

    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy


def test_the_page_for_an_absent_database_asks_the_database_nothing(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request = rf.get("/upload/")

    with django_assert_num_queries(0):
        response = unavailable(request)

    assert response.status_code == 503
    assert b"Back in a moment" in response.content


def test_an_unknown_address_has_our_page(browser: Client) -> None:
    response = browser.get("/nowhere/")

    assert response.status_code == 404
    assert b"There is nothing here" in response.content


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
