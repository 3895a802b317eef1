"""Pictures are stored beside their originals, shown to whom they belong, and go with them."""

import asyncio
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from PIL import Image
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from documents import clock, derived
from documents.derived import Derived
from documents.errors import CrashedError
from documents.models import Batch, Disposal, Document
from documents.services import deletion, disposal
from documents.services.reprocessing import reprocess_one
from documents.states import Status
from documents.storage import get_storage
from documents.storage.http import StorageApp
from processing import drawing
from processing.models import StageName
from processing.search import search
from processing.stage import Held
from processing.stages import preview
from tests.factories import make_document, make_user
from tests.processing.books import check_books
from tests.processing.lifecycle import (
    adorn,
    arrived,
    claim,
    enrich,
    finish,
    fresh,
    learn,
    read,
    ready,
    verify,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedding", "root")]
CONTENT = b"The gate opens at dawn."
Commit = DjangoCaptureOnCommitCallbacks


def draw(document: Document) -> None:
    """Run the stage itself, in the sandbox, and finish it."""
    lease = claim(document, StageName.PREVIEW)
    finish(lease, preview.run(fresh(document), Held(lease)))


def drawn(batch: Batch, content: bytes = CONTENT, path: str = "folder/a.txt") -> Document:
    """Return a document with its pictures in storage."""
    document = arrived(batch, content, path)
    verify(document, content)
    read(document, "The lantern by the lake was lit every evening.")
    if path.endswith(".png"):
        Document.objects.filter(id=document.id).update(content_type="image/png")
    draw(document)
    enrich(document)
    learn(document)
    return fresh(document)


def png() -> bytes:
    stream = BytesIO()
    Image.new("RGB", (640, 480), (10, 120, 10)).save(stream, "PNG")
    return stream.getvalue()


def pictures(root: Path) -> list[str]:
    """Return the names of all pictures in the store, which keeps its objects under `root`."""
    names = [path.name.rpartition("~")[2] for path in root.rglob("derived~*.webp")]
    assert len(names) == len(list(get_storage().list("derived/")))
    return sorted(names)


def placed(document: Document) -> None:
    """Put a picture where the stage would, without drawing one."""
    get_storage().put(derived.key_of(document, Derived.THUMBNAIL), b"RIFF....WEBP", "image/webp")


def test_a_text_has_a_card_and_knows_its_size(batch: Batch, root: Path) -> None:
    document = drawn(batch)

    assert (document.status, document.preview_version) == (Status.READY, derived.VERSION)
    assert (document.thumbnail_width, document.thumbnail_height) == (240, 320)
    assert (document.image_width, len(document.placeholder) > 20) == (0, True)
    assert pictures(root) == ["thumbnail-1.webp"]


def test_an_image_has_a_main_version_as_well(batch: Batch, root: Path) -> None:
    document = drawn(batch, png(), "folder/a.png")

    assert (document.thumbnail_width, document.thumbnail_height) == (320, 240)
    assert (document.image_width, document.image_height) == (640, 480)
    assert pictures(root) == ["image-1.webp", "thumbnail-1.webp"]


def test_a_child_that_lies_about_what_it_drew_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "thumbnail.webp").write_bytes(b"<script>alert(1)</script>")
    (tmp_path / "other.webp").symlink_to("/etc/hostname")
    told = {"name": "thumbnail.webp", "size_bytes": 25, "width": 320, "height": 200}

    for lie in (
        {},
        {"name": "../a.webp"},
        {"name": "other.webp"},
        {"width": 10**6},
        {"height": "9"},
    ):
        with pytest.raises((ValueError, OSError)):
            drawing.picture(tmp_path, told | lie)


def test_an_answer_that_is_none_counts_as_a_crash(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = arrived(batch, CONTENT)
    verify(document, CONTENT)
    read(document, "Words.")
    lease = claim(document, StageName.PREVIEW)
    monkeypatch.setattr(drawing, "_PLACEHOLDER", re.compile("never"))

    with pytest.raises(CrashedError, match="no usable answer"):
        preview.run(fresh(document), Held(lease))


def test_deleting_takes_every_picture_along(
    batch: Batch, user: Any, root: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    document = ready(batch, CONTENT)
    other = ready(batch, b"Something else.", "A ferry crossed.", "other.txt")
    for each in (document, other):
        placed(each)
    # Drawn when somebody looked at it.
    get_storage().put(derived.key_of(document, "page-7"), b"RIFF....WEBP", "image/webp")

    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(document, user)

    assert [key for key, _ in get_storage().list("derived/")] == [
        derived.key_of(other, Derived.THUMBNAIL)
    ]
    check_books()


def test_a_picture_that_a_late_worker_stores_goes_too(
    batch: Batch, user: Any, root: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    document = ready(batch, CONTENT)
    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(document, user)
    placed(document)

    Disposal.objects.update(due_at="2020-01-01T00:00Z", until="2020-01-01T00:00Z")
    disposal.work_off()

    assert pictures(root) == []
    assert not Disposal.objects.exists()


def test_pictures_stay_for_the_duplicate_that_inherits_them_and_go_with_the_last(
    batch: Batch, user: Any, root: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    original = ready(batch, CONTENT)
    heir = arrived(batch, CONTENT, "folder/b.txt")
    verify(heir, CONTENT)
    placed(original)

    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(original, user)
    assert pictures(root) == ["thumbnail-1.webp"]
    assert fresh(heir).placeholder == original.placeholder
    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(fresh(heir), user)

    assert pictures(root) == []


def test_orphans_are_swept_and_what_is_shown_is_not(
    batch: Batch, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = ready(batch, CONTENT)
    placed(document)
    storage = get_storage()
    for name, version in (("thumbnail", 9), ("page-1", 9)):
        storage.put(derived.key_of(document, name, version), b"RIFF....WEBP", "image/webp")
    nobodys = f"derived/{batch.workspace_id}/{'0' * 64}/thumbnail-1.webp"
    storage.put(nobodys, b"RIFF....WEBP", "image/webp")
    later = clock.now() + disposal.ORPHAN_AGE * 2
    monkeypatch.setattr(clock, "now", lambda: later)

    assert disposal.OrphanSweep().step() >= 3
    disposal.work_off()

    assert [key for key, _ in storage.list("derived/")] == [
        derived.key_of(document, Derived.THUMBNAIL)
    ]


def test_the_api_leads_to_the_picture_for_a_while(batch: Batch, user: Any) -> None:
    document = ready(batch, CONTENT)
    placed(document)
    api = APIClient()
    api.force_authenticate(user)

    answer = api.get(f"/api/v1/documents/{document.id}/thumbnail")
    told = api.get(f"/api/v1/documents/{document.id}").json()["thumbnail"]

    assert answer.status_code == 302
    assert answer["Location"].startswith(f"/storage/derived/{batch.workspace_id}/")
    assert answer["Cache-Control"] == "private, max-age=3540"
    assert {"Cookie", "Authorization"} <= set(answer["Vary"].split(", "))
    assert told == {
        "url": f"/api/v1/documents/{document.id}/thumbnail",
        "width": 240,
        "height": 320,
        "placeholder": document.placeholder,
    }


def test_who_is_nobody_here_or_asks_for_what_is_not_there_gets_nothing(
    batch: Batch, user: Any
) -> None:
    document, bare = ready(batch, CONTENT), make_document(batch, status=Status.READY)
    placed(document)
    owner, stranger = APIClient(), APIClient()
    owner.force_authenticate(user)
    stranger.force_authenticate(make_user())

    for client, path in (
        (stranger, f"{document.id}/thumbnail"),
        (stranger, f"{document.id}/image"),
        (owner, f"{document.id}/image"),
        (owner, f"{bare.id}/thumbnail"),
    ):
        answer = client.get(f"/api/v1/documents/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_duplicate_shows_the_picture_of_its_original(batch: Batch, user: Any) -> None:
    original = ready(batch, CONTENT)
    copy = arrived(batch, CONTENT, "folder/b.txt")
    verify(copy, CONTENT)
    api = APIClient()
    api.force_authenticate(user)

    answer = api.get(f"/api/v1/documents/{copy.id}/thumbnail")

    assert answer.status_code == 302
    assert original.sha256 in answer["Location"]


def test_a_picture_is_shown_in_place_and_can_do_nothing(batch: Batch) -> None:
    document = ready(batch, CONTENT)
    placed(document)
    headers = dict(served(derived.signed_url(document, Derived.THUMBNAIL)))

    assert headers[b"content-type"] == b"image/webp"
    assert headers[b"content-disposition"].startswith(b"inline;")
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-security-policy"].startswith(b"sandbox;")
    assert headers[b"cache-control"] == b"private, max-age=31536000, immutable"


def served(url: str) -> list[tuple[bytes, bytes]]:
    """Return the headers with which the local store answers."""
    path, _, query = url.partition("?")
    sent: list[Any] = []

    async def ask() -> None:
        async def receive() -> Any:
            await asyncio.sleep(3600)

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Any = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [],
        }
        await StorageApp()(scope, receive, send)

    asyncio.run(ask())
    headers: list[tuple[bytes, bytes]] = sent[0]["headers"]
    return headers


def test_hits_and_pages_show_it(client: Client, batch: Batch, user: Any) -> None:
    document = ready(batch, CONTENT)
    address = f"/api/v1/documents/{document.id}/thumbnail"
    client.force_login(user)

    (hit,) = search(user, "lantern").hits
    assert (hit.thumbnail, hit.placeholder) == (address, document.placeholder)
    for path in (
        "/library/",
        "/search/?q=lantern",
        f"/batches/{batch.id}/",
        f"/documents/{document.id}/",
    ):
        assert f'src="{address}" width="' in client.get(path).content.decode(), path


def test_a_document_read_anew_keeps_its_picture_meanwhile(batch: Batch, user: Any) -> None:
    document = ready(batch, CONTENT)

    reprocess_one(document, user)

    assert derived.holder_of(fresh(document)) is not None
    read(document, "A ferry crossed.")
    adorn(document)
    learn(document)
    assert fresh(document).status == Status.READY
