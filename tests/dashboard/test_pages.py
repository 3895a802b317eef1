"""What holds for every page: who may see it, and what is shown where there is none."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from pytest_django.fixtures import DjangoAssertNumQueries

from config.middleware import unavailable
from documents.models import Batch, Document
from tests.factories import make_user

pytestmark = pytest.mark.django_db


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
