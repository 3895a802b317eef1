"""The staff's lists: complete, fast, safe, and never a way around the services."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from documents.models import (
    ApiToken,
    AuditEntry,
    Batch,
    Disposal,
    Document,
    Event,
    PageImage,
    Stream,
)
from documents.services.tokens import create_token, find_token
from documents.states import Status
from processing.models import (
    Chunk,
    Entity,
    ImageVector,
    IngestJob,
    PageText,
    ScanSlice,
    StageAttempt,
    StageRun,
    Worker,
)
from tests.factories import make_batch, make_document, make_user, make_workspace

pytestmark = pytest.mark.django_db

MODELS = [
    model for app in ("documents", "processing") for model in apps.get_app_config(app).get_models()
]
READ_ONLY = [model for model in MODELS if model.__name__ not in {"Workspace", "Membership"}]
NASTY = "<script>alert(1)</script>.txt"


@pytest.fixture
def staff(client: Client) -> Client:
    """A signed-in superuser."""
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def rows() -> None:
    """A row of every model, with names as hostile as users may give them."""
    fill()


def fill() -> None:
    user = make_user()
    batch = make_batch(make_workspace(name=NASTY), name=NASTY, created_by=user)
    document = make_document(batch, path=f"{make_workspace().id}/{NASTY}", status=Status.FAILED)
    Document.objects.filter(id=document.id).update(error_detail=NASTY)
    own: dict[str, Any] = {"workspace": batch.workspace, "document": document}
    job = IngestJob.objects.create(**own, lane="bulk")
    run = StageRun.objects.create(
        **own, job=job, stage="verify", state="dead", max_attempts=1, error_text=NASTY
    )
    now = timezone.now()
    StageAttempt.objects.create(run=run, n=1, started_at=now, error_text=NASTY)
    PageText.objects.create(**own, number=1, text=NASTY)
    ScanSlice.objects.create(**own, seconds=1, readings={"pages": [[1, NASTY, 0.5]]}, unread=[[2]])
    Chunk.objects.create(**own, ordinal=0, page=1, start=0, end=9, text=NASTY, heading=NASTY)
    mentioned: dict[str, Any] = {"kind": "person", "value": NASTY, "text": NASTY, "count": 1}
    Entity.objects.create(**own, **mentioned, positions=[[1, 0, NASTY]])
    ImageVector.objects.create(**own, embedding=[1.0, 0.0], model=NASTY)
    Worker.objects.create(
        id=document.id, kind="worker", host=NASTY, pid=1, version="1", started_at=now, seen_at=now
    )
    Stream.objects.create(name=f"batch:{batch.id}", state={"name": NASTY})
    AuditEntry.objects.create(actor=user, action="retry", details={"count": 1, "path": NASTY})
    Disposal.objects.create(key=f"stored/{document.id}/{NASTY}")
    PageImage.objects.create(document=document, generation=1, version=1, number=1, refusal=NASTY)
    create_token(user, NASTY)


def list_url(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")


def change_url(row: Model) -> str:
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


def run_action(client: Client, model: type[Model], action: str, *rows: Model) -> str:
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(list_url(model), data, follow=True).content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_listed_and_searched(staff: Client, rows: None, model: type[Model]) -> None:
    assert admin.site.is_registered(model)
    listed = staff.get(list_url(model)).content.decode()
    searched = staff.get(list_url(model), {"q": "no such thing"})

    assert re.search(r"\b[1-9]\d* \w", listed.split('class="paginator"')[1])
    assert searched.status_code == 200
    assert '<input type="text" size="40" name="q"' in searched.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_what_users_wrote_is_escaped_and_nothing_is_inline(
    staff: Client, rows: None, model: type[Model]
) -> None:
    row = model._default_manager.order_by("pk").last()
    assert row is not None

    for url in (list_url(model), change_url(row)):
        page = staff.get(url).content.decode()

        assert "<script>alert" not in page
        # The policy allows no inline code and no style attributes.
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*json)[^>]*>|<style", page)
        assert not re.search(r"\son\w+\s*=|\sstyle\s*=", re.sub(r"&[^;]+;", "", page))


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_code_owns_cannot_be_written_by_a_form(
    staff: Client, rows: None, model: type[Model]
) -> None:
    row = model._default_manager.order_by("pk").last()
    assert row is not None
    add_url = list_url(model) + "add/"

    assert staff.post(add_url, {}).status_code == 403
    assert staff.post(change_url(row), {}).status_code == 403
    assert (
        staff.post(change_url(row).replace("/change/", "/delete/"), {"post": "yes"}).status_code
        == 403
    )


@pytest.mark.parametrize("model", MODELS)
def test_list_asks_as_few_questions_for_many_rows(
    staff: Client, rows: None, model: type[Model]
) -> None:
    with CaptureQueriesContext(connection) as few:
        staff.get(list_url(model))
    for _ in range(3):
        fill()
    with CaptureQueriesContext(connection) as many:
        staff.get(list_url(model))

    assert len(many) == len(few)


def test_list_is_found_by_a_document_id(staff: Client, rows: None) -> None:
    make_document(path="other.txt")
    document = Document.objects.exclude(path="other.txt").get()

    page = staff.get(list_url(Document), {"q": str(document.id)}).content.decode()

    assert "&lt;script&gt;" in page
    assert "other.txt" not in page


@pytest.mark.parametrize("model", MODELS)
def test_list_asks_no_large_table_for_its_distinct_values(
    staff: Client, rows: None, model: type[Model]
) -> None:
    with CaptureQueriesContext(connection) as queries:
        staff.get(list_url(model))

    asked = [query["sql"] for query in queries if "SELECT DISTINCT" in query["sql"]]
    assert not asked or model is AuditEntry


def test_documents_are_filtered_by_error(staff: Client, rows: None) -> None:
    Document.objects.update(error_code="corrupt")

    corrupt = staff.get(list_url(Document), {"error_code": "corrupt"}).content.decode()
    encrypted = staff.get(list_url(Document), {"error_code": "encrypted"}).content.decode()

    assert "&lt;script&gt;" in corrupt.split('id="result_list"')[1]
    assert "result_list" not in encrypted


def test_retry_of_documents_tells_how_many_and_who(staff: Client, rows: None) -> None:
    document = Document.objects.get()

    page = run_action(staff, Document, "retry", document)

    assert "1 document will be tried again." in page
    assert StageRun.objects.get().state == "ready"
    entry = AuditEntry.objects.latest("id")
    assert entry.actor is not None
    assert (entry.actor.get_username(), entry.action) == ("root", "retry")


def test_cancel_of_documents_reaches_only_those_that_have_not_ended(staff: Client) -> None:
    batch = make_batch()
    awaiting = make_document(batch)
    ready = make_document(batch, status=Status.READY)

    page = run_action(staff, Document, "cancel", awaiting, ready)

    assert "1 document cancelled." in page
    awaiting.refresh_from_db()
    ready.refresh_from_db()
    assert (awaiting.status, ready.status) == (Status.CANCELLED, Status.READY)


def test_batches_are_cancelled_resumed_and_retried(staff: Client) -> None:
    batch = make_batch()
    make_document(batch)
    make_document(batch)

    assert "2 documents cancelled." in run_action(staff, Batch, "cancel", batch)
    assert "2 documents resumed." in run_action(staff, Batch, "resume", batch)
    assert "0 documents will be tried again." in run_action(staff, Batch, "retry", batch)

    assert set(Document.objects.values_list("status", flat=True)) == {Status.AWAITING}
    assert Event.objects.filter(kind="documents").count() == 4


def test_resume_beyond_the_quota_says_why_not(staff: Client) -> None:
    batch = make_batch(make_workspace(quota_bytes=10))
    make_document(batch, status=Status.CANCELLED)

    page = run_action(staff, Batch, "resume", batch)

    assert "These documents need 100 bytes" in page


def test_revoked_token_opens_nothing_any_more(staff: Client) -> None:
    token = create_token(make_user(), "script")

    page = run_action(staff, ApiToken, "revoke", ApiToken.objects.get())

    assert "1 token revoked." in page
    assert find_token(token) is None


def test_digest_of_a_token_is_not_shown(staff: Client) -> None:
    create_token(make_user(), "script")
    token = ApiToken.objects.get()

    assert token.digest not in staff.get(change_url(token)).content.decode()


def test_staff_who_may_only_look_have_no_actions(client: Client) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_document"))
    client.force_login(viewer)
    document = make_document()

    page = run_action(client, Document, "cancel", document)

    assert "document cancelled" not in page
    document.refresh_from_db()
    assert document.status == Status.AWAITING


def test_limits_of_a_workspace_can_be_edited_and_its_counts_cannot(staff: Client) -> None:
    workspace = make_workspace(name="Team", used_bytes=5)
    limits = {"max_document_bytes": 7, "quota_bytes": 9, "weight": 2, "max_inflight": 3}

    staff.post(change_url(workspace), {"name": "Team", **limits, "used_bytes": 0})

    workspace.refresh_from_db()
    assert (workspace.weight, workspace.quota_bytes, workspace.used_bytes) == (2, 9, 5)


def test_messages_of_the_broker_have_no_admin() -> None:
    assert not admin.site.is_registered(apps.get_model("django_dramatiq", "Task"))
