"""Pictures of pages are kept as long as their documents, and as there is room."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

from documents import clock, derived
from documents.errors import StorageError
from documents.models import Batch, Disposal, Document, PageImage, Workspace
from documents.services import deletion, disposal, page_images
from documents.services.reprocessing import reprocess_one
from documents.storage import get_storage
from processing import page_images as showing
from tests.processing import page_pictures
from tests.processing.lifecycle import adorn, arrived, fresh, learn, read, verify
from tests.processing.page_pictures import (
    WEBP,
    address,
    kept,
    key_in,
    shelved,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedding", "root")]
Commit = DjangoCaptureOnCommitCallbacks
drawn = page_pictures.drawn


def test_a_claim_of_somebody_who_died_runs_out(
    batch: Batch, api: APIClient, drawn: list[int]
) -> None:
    document = shelved(batch, b"%PDF")
    page_images.claim(document, 1)

    PageImage.objects.update(taken_until=F("taken_until") - timedelta(seconds=91))

    assert key_in(api.get(address(document, 1)))
    assert drawn == [1]


def test_what_was_drawn_under_a_lost_claim_is_not_shown_and_not_kept(
    batch: Batch, drawn: list[int], django_capture_on_commit_callbacks: Commit
) -> None:
    document = shelved(batch, b"%PDF")
    slow = page_images.claim(document, 1)
    assert slow is not None
    PageImage.objects.update(taken_until=F("taken_until") - timedelta(seconds=91))
    shown = showing.picture_of(document, 1)
    late = page_images.key_of(slow, document)
    get_storage().put(late, WEBP, "image/webp")

    with django_capture_on_commit_callbacks(execute=True):
        is_kept = page_images.keep(slow, late, len(WEBP))

    assert (is_kept, kept()) == (False, [shown])
    assert PageImage.objects.get().key == shown


def test_deleting_a_document_takes_its_pages_along(
    batch: Batch, user: Any, drawn: list[int], django_capture_on_commit_callbacks: Commit
) -> None:
    document, other = shelved(batch, b"%PDF"), shelved(batch, b"%PDF 2", path="other.pdf")
    gone, stays = (showing.picture_of(each, 2) for each in (document, other))

    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(document, user)

    assert (kept(), gone in kept()) == ([stays], False)
    assert PageImage.objects.get().key == stays


def test_a_page_drawn_while_its_document_is_deleted_goes_too(
    batch: Batch, user: Any, drawn: list[int], django_capture_on_commit_callbacks: Commit
) -> None:
    document = shelved(batch, b"%PDF")
    claimed = page_images.claim(document, 1)
    assert claimed is not None
    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(fresh(document), user)
    key = page_images.key_of(claimed, document)
    get_storage().put(key, WEBP, "image/webp")

    with django_capture_on_commit_callbacks(execute=True):
        assert not page_images.keep(claimed, key, len(WEBP))

    assert (kept(), PageImage.objects.count()) == ([], 0)


def test_pages_stay_for_the_duplicate_that_inherits_them(
    batch: Batch, user: Any, drawn: list[int], django_capture_on_commit_callbacks: Commit
) -> None:
    original = shelved(batch, b"%PDF")
    heir = arrived(batch, b"%PDF", "folder/b.pdf")
    verify(heir, b"%PDF")
    key = showing.picture_of(original, 1)

    with django_capture_on_commit_callbacks(execute=True):
        deletion.delete(original, user)

    assert showing.picture_of(fresh(heir), 1) == key
    assert (drawn, kept()) == ([1], [key])


def test_a_document_read_anew_is_drawn_anew_and_what_was_drawn_before_goes(
    batch: Batch, user: Any, drawn: list[int], django_capture_on_commit_callbacks: Commit
) -> None:
    document = shelved(batch, b"%PDF")
    before = showing.picture_of(document, 1)
    reprocess_one(document, user)
    # What is shown meanwhile is what was read before.
    assert showing.picture_of(fresh(document), 1) == before
    read(document, "A ferry crossed.", "It rained.")
    adorn(document)
    learn(document)

    after = showing.picture_of(fresh(document), 1)
    with django_capture_on_commit_callbacks(execute=True):
        assert page_images.sweep() == 1

    assert drawn == [1, 1]
    assert (kept(), after == before) == ([after], False)


def test_refusals_and_broken_off_drawings_are_forgotten(batch: Batch, drawn: list[int]) -> None:
    document = shelved(batch, b"%PDF")
    for number in (1, 2, 3):
        assert page_images.claim(document, number)
    refused_long_ago = PageImage.objects.get(number=1)
    page_images.refuse(refused_long_ago, "It is damaged.")
    PageImage.objects.filter(number__lt=3).update(taken_until="2020-01-01T00:00Z")

    assert page_images.sweep() == 2

    assert PageImage.objects.get().number == 3


def looked_at(document: Document, number: int, minutes_ago: int) -> str:
    """Return the key of a page that somebody last looked at so long ago."""
    key = showing.picture_of(document, number)
    PageImage.objects.filter(key=key).update(used_at=clock.now() - timedelta(minutes=minutes_ago))
    return key


def test_beyond_the_limit_those_go_that_nobody_looked_at_for_longest(
    batch: Batch, drawn: list[int], settings: Settings, django_capture_on_commit_callbacks: Commit
) -> None:
    document = shelved(batch, b"%PDF", pages=5)
    ages = (60, 300, 90, 120, 30)
    keys = [looked_at(document, number, age) for number, age in enumerate(ages, start=1)]
    settings.PAGE_IMAGES_MAX_BYTES = 5 * len(WEBP)
    assert page_images.sweep() == 0
    settings.PAGE_IMAGES_MAX_BYTES = 3 * len(WEBP) + 1
    # Looked at again: no more the oldest.
    showing.picture_of(document, 2)

    with django_capture_on_commit_callbacks(execute=True):
        assert page_images.sweep() == 2

    assert kept() == sorted([keys[0], keys[1], keys[4]])
    assert page_images.sweep() == 0


def test_what_a_browser_may_still_be_led_to_is_spared(
    batch: Batch, drawn: list[int], settings: Settings
) -> None:
    document = shelved(batch, b"%PDF")
    key = looked_at(document, 1, minutes_ago=6)
    settings.PAGE_IMAGES_MAX_BYTES = 0

    assert (page_images.sweep(), kept()) == (0, [key])


def test_an_object_that_no_row_names_is_an_orphan(
    batch: Batch, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = shelved(batch, b"%PDF")
    claimed = page_images.claim(document, 2)
    assert claimed is not None
    # Stored by somebody who died before it was written down.
    get_storage().put(page_images.key_of(claimed, document), WEBP, "image/webp")
    shown = showing.picture_of(document, 1)
    get_storage().put(derived.key_of(document, derived.Derived.THUMBNAIL), WEBP, "image/webp")
    later = clock.now() + disposal.ORPHAN_AGE * 2
    monkeypatch.setattr(clock, "now", lambda: later)

    disposal.OrphanSweep().step()
    disposal.work_off()

    assert kept() == [shown]
    assert len(list(get_storage().list("derived/"))) == 2


def test_storage_that_is_away_has_the_object_deleted_later(
    batch: Batch,
    drawn: list[int],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Commit,
) -> None:
    document = shelved(batch, b"%PDF")
    key = looked_at(document, 1, minutes_ago=60)
    settings.PAGE_IMAGES_MAX_BYTES = 0

    def away(*_: object) -> None:
        raise StorageError("Storage is away.")

    with monkeypatch.context() as broken:
        broken.setattr(type(get_storage()), "delete", away)
        with django_capture_on_commit_callbacks(execute=True):
            assert page_images.sweep() == 1
    assert kept() == [key]
    Disposal.objects.update(due_at="2020-01-01T00:00Z", until="2020-01-01T00:00Z")
    disposal.work_off()

    assert kept() == []
    assert not Disposal.objects.exists()


def test_pictures_of_pages_do_not_count_against_the_quota(batch: Batch, drawn: list[int]) -> None:
    document = shelved(batch, b"%PDF")
    before = Workspace.objects.get(id=batch.workspace_id).used_bytes

    showing.picture_of(document, 1)

    assert Workspace.objects.get(id=batch.workspace_id).used_bytes == before
