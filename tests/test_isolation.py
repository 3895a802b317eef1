"""Whatever belongs to another workspace does not exist."""

from uuid import uuid4

import pytest
from django.test import Client

from documents.services.arrivals import accept
from documents.states import Status
from processing.models import IngestJob
from tests.addresses import IDS, addresses, fill
from tests.factories import make_batch, make_document, make_user

pytestmark = pytest.mark.django_db


def foreign() -> dict[str, str]:
    """Return ids of another workspace's things, one of each kind."""
    batch = make_batch()
    document = make_document(batch, status=Status.AWAITING)
    accept(batch, [document.id])
    job = IngestJob.objects.get()
    return {"batch_id": str(batch.id), "document_id": str(document.id), "job_id": str(job.id)}


def test_every_id_in_an_address_is_known_to_this_test() -> None:
    named = set().union(*(names for _, names in addresses()))

    assert {name for name in named if name.endswith("_id")} == IDS


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_another_workspaces_ids_are_not_found(client: Client, method: str) -> None:
    client.force_login(make_user())
    ids = foreign()
    unknown = {name: str(uuid4()) for name in ids}

    for route, names in addresses():
        if not names & IDS:
            continue
        for action in ("cancel", "retry", "resume", "reprocess"):
            theirs = getattr(client, method)(fill(route, ids, action))
            nobodys = getattr(client, method)(fill(route, unknown, action))

            assert theirs.status_code in (404, 405), route
            # Nothing tells "not yours" from "does not exist".
            assert theirs.status_code == nobodys.status_code, route


def test_lists_and_search_show_nothing_of_another_workspace(client: Client) -> None:
    client.force_login(make_user())
    ids = foreign()

    for path in ("/api/v1/batches", "/api/v1/documents", "/", "/library/", "/batches/"):
        page = client.get(path, follow=True)

        assert page.status_code == 200, path
        assert ids["batch_id"] not in page.content.decode(), path
        assert ids["document_id"] not in page.content.decode(), path


def test_a_list_filtered_by_a_foreign_batch_is_not_found(client: Client) -> None:
    client.force_login(make_user())
    ids = foreign()

    for path in ("/api/v1/documents", "/api/v1/search"):
        answer = client.get(path, {"batch": ids["batch_id"], "q": "gate"})

        assert answer.status_code == 404, path


def test_a_visitor_sees_nothing_but_the_door(client: Client) -> None:
    ids = foreign()

    for route, names in addresses():
        if names & IDS:
            answer = client.get(fill(route, ids, "retry"))

            assert answer.status_code in (302, 401, 403, 405), route
            if answer.status_code == 302:
                assert answer["Location"].startswith("/login/"), route
