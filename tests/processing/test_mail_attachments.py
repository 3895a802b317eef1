"""What is attached to a mail becomes documents of its batch, as what is in an archive does."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from documents.models import Batch, Document, Workspace
from documents.services import batches
from documents.services.deletion import delete
from documents.services.reprocessing import reprocess_one
from documents.states import Status
from documents.storage import get_storage
from processing.models import Chunk
from tests.processing import archive_samples as samples
from tests.processing.archives import (
    break_off,
    dropped,
    members_of,
    text_of,
    unpack,
    verified,
)
from tests.processing.lifecycle import adorn, arrived, fresh, learn
from tests.processing.mail_samples import make_message, with_attachments, with_logo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm", "provider")]

TWO = {"plan.txt": b"the plan of the harbour", "map.txt": b"the map of the harbour"}


def mailed(batch: Batch, documents: dict[str, Any], path: str = "in/mail.eml") -> Document:
    """Return a mail with these attachments that verify has taken in."""
    return dropped(batch, with_attachments(documents).as_bytes(), path)


def test_attachments_become_documents_beside_a_mail_that_is_read(batch: Batch) -> None:
    document = mailed(batch, TWO)

    assert unpack(document) is None
    adorn(document)
    learn(document)

    members = members_of(document)
    assert list(members) == ["in/mail.eml/map.txt", "in/mail.eml/plan.txt"]
    for name, content in TWO.items():
        member = members[f"in/mail.eml/{name}"]
        assert (member.status, member.parent_id) == (Status.UPLOADED, document.id)
        with get_storage().open(member.incoming_key) as stream:
            assert stream.read() == content
    text = text_of(document)
    assert "Meet me at the lake." in text
    assert "Attachments: plan.txt; map.txt" in text
    assert fresh(document).status == Status.READY
    assert Chunk.objects.filter(document=document).exists()


def test_a_mail_with_nothing_attached_is_only_read(batch: Batch) -> None:
    document = dropped(batch, make_message().as_bytes(), "mail.eml")

    assert unpack(document) is None

    assert members_of(document) == {}
    assert "documents" not in fresh(document).metadata


def test_a_logo_is_left_out(batch: Batch) -> None:
    document = dropped(batch, with_logo(b"\x89PNG\r\n\x1a\n" + bytes(50)).as_bytes(), "mail.eml")

    assert unpack(document) is None

    assert members_of(document) == {}


def test_what_is_not_taken_is_told_in_the_text_of_the_mail(batch: Batch) -> None:
    Workspace.objects.filter(id=batch.workspace_id).update(accepted_kinds=["mail", "text"])
    document = mailed(batch, {"empty.txt": b"", "song.mp3": b"la", "scan.pdf": b"%PDF-", **TWO})

    assert unpack(document) is None

    assert len(members_of(document)) == 2
    told = text_of(document).partition("Not taken in:\n")[2].splitlines()
    assert told == [
        "in/mail.eml/empty.txt is empty; there is nothing in it to find.",
        "in/mail.eml/song.mp3: song.mp3 is a sound recording, which cannot be read.",
        "in/mail.eml/scan.pdf: scan.pdf is not taken here: this workspace takes only "
        "e-mails and text.",
    ]
    assert fresh(document).metadata["refused"] == "3"


def test_a_mail_in_a_mail_in_an_archive_is_unpacked_in_its_turn(batch: Batch) -> None:
    inner = with_attachments({"deep.txt": b"deep"})
    outer = with_attachments({"": inner})
    archive = dropped(batch, samples.zipped({"outer.eml": outer.as_bytes()}), "all.zip")

    assert unpack(archive) is None
    first = verified(members_of(archive)["all.zip/outer.eml"])
    assert unpack(first) is None
    second = verified(members_of(archive)["all.zip/outer.eml/Fischgründe am See.eml"])
    assert unpack(second) is None

    deep = members_of(archive)["all.zip/outer.eml/Fischgründe am See.eml/deep.txt"]
    assert (deep.parent_id, second.parent_id, first.parent_id) == (second.id, first.id, archive.id)


def test_a_mail_too_deep_in_others_is_read_and_says_what_is_left(
    batch: Batch, settings: Settings
) -> None:
    settings.ARCHIVE_MAX_DEPTH = 1
    archive = dropped(
        batch, samples.zipped({"outer.eml": with_attachments(TWO).as_bytes()}), "all.zip"
    )
    assert unpack(archive) is None
    mail = verified(members_of(archive)["all.zip/outer.eml"])

    assert unpack(mail) is None

    assert text_of(mail).endswith("What is attached was not unpacked: that is done 1 deep.")
    assert len(members_of(archive)) == 1


def test_an_attachment_that_is_stored_already_is_a_duplicate(batch: Batch, puts: list[str]) -> None:
    original = verified(arrived(batch, TWO["plan.txt"], "original.txt"))
    document = mailed(batch, TWO)
    puts.clear()

    assert unpack(document) is None

    copy = members_of(document)["in/mail.eml/plan.txt"]
    assert (copy.status, copy.duplicate_of_id) == (Status.DUPLICATE, original.id)
    assert len(puts) == 1


@pytest.mark.parametrize(
    "point",
    [
        "unpack.before_register",
        "presign.after_commit",
        "unpack.before_deliver",
        "complete.before_commit",
        "unpack.after_deliver",
        "unpack.before_listing",
        "extract.before_commit",
    ],
)
def test_an_attempt_that_ends_anywhere_is_gone_on_with(
    batch: Batch, point: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    document = mailed(batch, TWO)
    break_off(document, point, monkeypatch, tmp_path)

    assert unpack(document) is None

    members = members_of(document)
    assert len(members) == Document.objects.filter(batch=batch).count() - 1 == 2
    assert {member.status for member in members.values()} == {Status.UPLOADED}


def test_a_full_workspace_fails_the_mail_and_a_retry_brings_the_rest(
    batch: Batch, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = mailed(batch, TWO)
    workspace = Workspace.objects.get(id=batch.workspace_id)
    used = workspace.used_bytes + workspace.reserved_bytes
    Workspace.objects.filter(id=workspace.id).update(quota_bytes=used)

    assert unpack(document) is not None
    assert fresh(document).error_code == "quota_exceeded"

    Workspace.objects.filter(id=workspace.id).update(quota_bytes=10**9)
    batches.retry(Document.objects.filter(id=document.id), user)
    assert unpack(document) is None
    assert len(members_of(document)) == 2


def test_reading_a_mail_anew_brings_only_what_is_missing(
    batch: Batch, user: Any, puts: list[str]
) -> None:
    document = mailed(batch, TWO)
    assert unpack(document) is None
    adorn(document)
    learn(document)
    delete(members_of(document)["in/mail.eml/plan.txt"], user)
    puts.clear()

    reprocess_one(fresh(document), user)
    assert unpack(document) is None

    assert len(members_of(document)) == 2
    assert len(puts) == 1


def test_attachments_stay_without_a_parent_when_their_mail_is_deleted(
    batch: Batch, user: Any
) -> None:
    document = mailed(batch, TWO)
    assert unpack(document) is None

    delete(document, user)

    rows = Document.objects.filter(batch=batch)
    assert [(row.status, row.parent_id) for row in rows] == [(Status.UPLOADED, None)] * 2


def test_the_heir_of_a_deleted_mail_has_its_attachments(batch: Batch, user: Any) -> None:
    content = with_attachments(TWO).as_bytes()
    document = dropped(batch, content, "mail.eml")
    heir = arrived(batch, content, "again/mail.eml")
    assert unpack(document) is None
    verified(heir)
    assert fresh(heir).duplicate_of_id == document.id

    delete(document, user)

    assert fresh(heir).children.count() == 2


def test_the_api_leads_from_a_mail_to_its_attachments_and_back(
    batch: Batch, api: APIClient
) -> None:
    document = mailed(batch, TWO)
    assert unpack(document) is None
    child = members_of(document)["in/mail.eml/plan.txt"]

    detail = api.get(f"/api/v1/documents/{document.id}").json()
    listed = api.get("/api/v1/documents", {"parent": str(document.id)}).json()["results"]
    back = api.get(f"/api/v1/documents/{child.id}").json()

    assert (detail["parent"], detail["children"]) == (None, 2)
    assert {each["path"] for each in listed} == {"in/mail.eml/plan.txt", "in/mail.eml/map.txt"}
    assert (back["parent"], back["children"]) == (str(document.id), 0)


def test_the_pages_lead_from_a_mail_to_its_attachments_and_back(
    batch: Batch, client: Any, user: User
) -> None:
    document = mailed(batch, TWO)
    assert unpack(document) is None
    child = members_of(document)["in/mail.eml/plan.txt"]
    client.force_login(user)

    down = client.get(f"/documents/{document.id}/").content.decode()
    up = client.get(f"/documents/{child.id}/").content.decode()

    assert f'href="/documents/{child.id}/"' in down
    assert f'href="/documents/{document.id}/"' in up
