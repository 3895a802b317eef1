"""What is refused by its name, what by its bytes, and that both say the same."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from documents import kinds
from documents.errors import TypeRefusedError
from documents.kinds import DocumentKind, check_suffix, check_type, kind_of_suffix, kind_of_type
from documents.models import Batch, Document, Workspace
from documents.states import Status
from processing import reading, turns
from processing.extraction import media_types
from processing.extraction.reading import SUPPORTED
from processing.models import StageName
from processing.sandbox import Sandbox
from tests.factories import make_batch, make_user, make_workspace
from tests.processing.lifecycle import arrived

READABLE_SUFFIXES = {
    ".pdf": media_types.PDF,
    **media_types.PACKAGE_SUFFIXES,
    **media_types.OLE_SUFFIXES,
    **media_types.TEXT_SUFFIXES,
}


@pytest.fixture
def api(db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(make_user())
    return client


@pytest.fixture
def batch(api: APIClient) -> Batch:
    return make_batch(Workspace.objects.get())


def narrow(batch: Batch, *accepted: DocumentKind) -> None:
    Workspace.objects.filter(id=batch.workspace_id).update(accepted_kinds=list(accepted))


def post(api: APIClient, batch: Batch, call: str, *paths: str) -> Any:
    documents = [{"client_key": path, "path": path, "size": 5} for path in paths]
    address = f"/api/v1/batches/{batch.id}/{call}"
    return api.post(address, {"documents": documents}, format="json")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("films/Harbour.MP4", "Harbour.MP4 is a video, which cannot be read."),
        ("a.b/voice.note.mp3", "voice.note.mp3 is a sound recording, which cannot be read."),
        ("setup.exe", "setup.exe is a program, which cannot be read."),
        ("x/disk.iso", "disk.iso is a disk image, which cannot be read."),
        ("Arial.ttf", "Arial.ttf is a font, which cannot be read."),
        ("app.sqlite3", "app.sqlite3 is a database, which cannot be read."),
    ],
)
def test_a_suffix_nobody_can_read_is_refused_by_name(path: str, sentence: str) -> None:
    with pytest.raises(TypeRefusedError) as refused:
        check_suffix(path, [])

    assert refused.value.detail == sentence


@pytest.mark.parametrize(
    "path",
    ["README", "notes.", "a.unheard", ".mp4", "film.mp4/notes", "mp4", "data.bin"],
)
@pytest.mark.parametrize("accepted", [[], ["pdf"]])
def test_a_name_that_tells_nothing_goes_on_to_verify(path: str, accepted: list[str]) -> None:
    check_suffix(path, accepted)


@pytest.mark.parametrize(
    "path", ["module.ts", "photo.JPG", "scan.heic", "all.zip", "all.tar.gz", "a.tgz"]
)
def test_what_is_read_here_passes(path: str) -> None:
    check_suffix(path, [])


@pytest.mark.parametrize("suffix", sorted(READABLE_SUFFIXES))
def test_suffix_and_type_tell_the_same_kind(suffix: str) -> None:
    assert kind_of_suffix(suffix.removeprefix(".")) == kind_of_type(READABLE_SUFFIXES[suffix])


@pytest.mark.parametrize("media_type", sorted(SUPPORTED))
def test_everything_that_can_be_read_is_of_some_kind(media_type: str) -> None:
    assert kind_of_type(media_type) is not None


def test_no_suffix_is_both_readable_and_refused() -> None:
    assert set(kinds._KIND_OF_SUFFIX) & set(kinds._UNREADABLE_SUFFIX) == set()
    for names in (kinds._SUFFIXES, kinds._UNREADABLE):
        listed = [suffix for line in names.values() for suffix in line.split()]
        assert len(listed) == len(set(listed))


def test_a_narrower_workspace_says_what_it_takes() -> None:
    accepted = [DocumentKind.MAIL, DocumentKind.PDF]
    check_suffix("a.pdf", accepted)
    check_type("a", media_types.EML, accepted)

    with pytest.raises(TypeRefusedError, match=r"takes only PDF documents and e-mails\.$"):
        check_suffix("plan.docx", accepted)
    with pytest.raises(TypeRefusedError, match=r"^plan is not taken here"):
        check_type("plan", media_types.DOCX, accepted)
    with pytest.raises(TypeRefusedError):
        check_type("plan", "application/octet-stream", accepted)


def test_preflight_and_uploads_refuse_the_same(api: APIClient, batch: Batch) -> None:
    narrow(batch, DocumentKind.PDF)
    paths = ("a.mp4", "b.docx", "c.pdf", "d")

    verdict = post(api, batch, "preflight", *paths).json()
    answer = post(api, batch, "uploads", *paths).json()

    assert [(each["path"], each["code"]) for each in verdict["refused"]] == [
        ("a.mp4", "type_refused"),
        ("b.docx", "type_refused"),
    ]
    assert [(each["path"], each["status"], each["detail"]) for each in answer["errors"]] == [
        (each["path"], 415, each["detail"]) for each in verdict["refused"]
    ]
    assert [each["client_key"] for each in answer["documents"]] == ["c.pdf", "d"]


def test_when_every_type_is_refused_the_answer_is_415(api: APIClient, batch: Batch) -> None:
    refused = post(api, batch, "uploads", "a.mp4", "b.mov")

    assert (refused.status_code, refused.json()["code"]) == (415, "type_refused")
    assert not Document.objects.exists()


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Verify in a sandbox that ends with the test; once closed, one never opens again."""
    made = Sandbox(tasks=[reading.DETECT])
    monkeypatch.setattr(reading, "sandbox", made)
    yield
    made.close()


@pytest.mark.parametrize(
    ("accepted", "status", "code"),
    [
        (DocumentKind.PDF, Status.REJECTED, "type_refused"),
        (DocumentKind.TEXT, Status.PROCESSING, ""),
    ],
)
def test_verify_asks_the_same_of_what_the_bytes_are(
    sandbox: None, batch: Batch, accepted: DocumentKind, status: Status, code: str
) -> None:
    narrow(batch, accepted)
    document = arrived(batch, b"The gate opens at dawn.", "folder/unheard.of")

    turns.work_on(StageName.VERIFY, turns.Bells(lambda stage: None, lambda: None))

    document.refresh_from_db()
    assert (document.status, document.error_code) == (status, code)
    assert ("takes only PDF documents" in document.error_detail) == bool(code)


@pytest.mark.django_db
def test_an_unknown_kind_cannot_be_written() -> None:
    with pytest.raises(IntegrityError):
        make_workspace(accepted_kinds=["films"])


@pytest.mark.django_db
def test_staff_narrow_a_workspace_and_widen_it_again(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    workspace = make_workspace()
    address = reverse("admin:documents_workspace_change", args=[workspace.id])
    form = {
        "name": "Legal",
        **dict.fromkeys(("max_document_bytes", "quota_bytes", "weight", "max_inflight"), "1"),
    }

    for given, stored in (("pdf,mail", ["pdf", "mail"]), ("films", ["pdf", "mail"]), ("", [])):
        client.post(address, {**form, "accepted_kinds": given})
        workspace.refresh_from_db()
        assert workspace.accepted_kinds == stored
