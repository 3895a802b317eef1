"""What is optional makes nobody wait, and what it could not do is told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from documents import selectors
from documents.errors import CorruptError, StorageError
from documents.models import Batch, Document, Workspace
from documents.services import batches
from documents.states import Status
from processing import generations, leases, outcome, turns
from processing.models import StageName, StageRun
from processing.numbering import number_events
from processing.pipeline import REQUIRED, STAGES, get_stage
from processing.search import search
from processing.stage import Held, Result
from processing.turns import Bells
from tests.factories import make_document
from tests.processing.books import check_books, phases
from tests.processing.lifecycle import (
    TEXT,
    arrived,
    claim,
    enrich,
    fresh,
    learn,
    read,
    show,
    verify,
)
from tests.processing.search_library import paths

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedding")]


def progress(batch: Batch) -> dict[str, Any]:
    number_events()
    shown: dict[str, Any] = selectors.progress_of([batch.id])[batch.id]
    return shown


@pytest.fixture
def searchable(batch: Batch) -> Document:
    """A document that has been embedded, and for which something optional is still done."""
    document = make_document(batch, status=Status.PROCESSING, processed_at=timezone.now())
    with transaction.atomic():
        generations.go_live(document)
    return fresh(document)


def test_what_is_embedded_counts_as_searchable_and_not_as_work(
    batch: Batch, searchable: Document
) -> None:
    shown = progress(batch)

    assert (shown["counts"]["searchable"], shown["counts"]["processing"]) == (1, 0)
    assert phases(batch)["searchable"] == [1, 1]
    check_books()


def test_what_is_read_anew_counts_as_searchable_once(batch: Batch, searchable: Document) -> None:
    with transaction.atomic():
        generations.go_live(searchable)

    assert progress(batch)["counts"]["searchable"] == 1
    check_books()


def test_the_estimate_is_of_what_is_not_searchable_yet(batch: Batch) -> None:
    for _ in range(12):
        document = make_document(batch, status=Status.PROCESSING, processed_at=timezone.now())
        with transaction.atomic():
            generations.go_live(document)
    nothing_left = progress(batch)
    make_document(batch, status=Status.PROCESSING)

    something_left = progress(batch)

    assert nothing_left["documents_per_minute"] > 0
    assert (nothing_left["eta_seconds"], something_left["eta_seconds"] is None) == (None, False)


def test_cancelling_leaves_what_is_searchable(
    batch: Batch, searchable: Document, user: Any
) -> None:
    other = make_document(batch, status=Status.PROCESSING)

    assert batches.cancel_batch(batch, user) == 1

    assert fresh(searchable).status == Status.PROCESSING
    assert fresh(other).status == Status.CANCELLED
    check_books()


def test_pages_show_it_as_searchable(
    client: Client, batch: Batch, searchable: Document, user: Any
) -> None:
    client.force_login(user)

    page = client.get(f"/documents/{searchable.id}/").content.decode()
    shelf = client.get("/library/?show=searchable").content.decode()
    working = client.get("/library/?show=working").content.decode()

    assert 'data-tone="ok">Searchable<' in page
    assert (searchable.name in shelf, searchable.name in working) == (True, False)


def test_an_intake_does_not_wait_for_it(batch: Batch, searchable: Document) -> None:
    told: list[outcome.Counts] = []

    assert outcome.wait(batch.id, 0, told.append)

    assert told == [{Status.READY: 1}]
    assert outcome.outcome_of(batch.id, searchable.created_at).searchable == 1


def up_to_preview(batch: Batch, path: str = "folder/a.txt") -> Document:
    """Return a document that has been read and enriched, and waits for preview and embed."""
    content = path.encode()
    document = arrived(batch, content, path)
    verify(document, content)
    read(document, TEXT)
    enrich(document)
    return fresh(document)


def give_preview_up(document: Document) -> None:
    leases.fail(claim(document, StageName.PREVIEW), CorruptError("It cannot be drawn."))


@pytest.mark.parametrize("comes_first", [show, learn])
def test_a_document_is_ready_when_the_last_stage_has_ended(
    batch: Batch, comes_first: Callable[[Document], None]
) -> None:
    document = up_to_preview(batch)

    comes_first(document)
    assert fresh(document).status == Status.PROCESSING
    (show if comes_first is learn else learn)(document)

    assert fresh(document).status == Status.READY
    check_books()


@pytest.mark.parametrize("comes_first", [give_preview_up, learn])
def test_a_dead_optional_stage_leaves_it_searchable_in_part(
    batch: Batch, user: Any, comes_first: Callable[[Document], None]
) -> None:
    document = up_to_preview(batch)

    comes_first(document)
    (give_preview_up if comes_first is learn else learn)(document)

    ended = fresh(document)
    assert (ended.status, ended.error_stage, ended.error_code) == ("partial", "preview", "corrupt")
    assert paths(search(user, "lantern")) == [document.path]
    assert progress(batch)["phases"]["searchable"] == [1, 1]
    check_books()


def test_a_retry_tries_the_optional_stage_alone_and_it_stays_found(batch: Batch, user: Any) -> None:
    document = up_to_preview(batch)
    learn(document)
    give_preview_up(document)

    assert batches.retry(Document.objects.filter(id=document.id), user) == 1

    states = dict(StageRun.objects.values_list("stage", "state"))
    assert (states["preview"], states["embed"]) == ("ready", "done")
    assert progress(batch)["counts"]["searchable"] == 1
    show(document)
    assert (fresh(document).status, fresh(document).error_code) == (Status.READY, "")
    check_books()


def test_what_is_dead_is_told_again_after_a_required_stage_told_of_itself(batch: Batch) -> None:
    document = up_to_preview(batch)
    give_preview_up(document)
    leases.fail(claim(document, StageName.EMBED), StorageError("Storage is away."))
    assert fresh(document).error_stage == "embed"

    learn(document)

    assert (fresh(document).status, fresh(document).error_stage) == (Status.PARTIAL, "preview")


def test_why_it_is_not_found_is_told_before_what_is_missing_besides(batch: Batch) -> None:
    document = up_to_preview(batch)
    leases.fail(claim(document, StageName.EMBED), CorruptError("It has no meaning."))

    give_preview_up(document)

    assert (fresh(document).status, fresh(document).error_stage) == (Status.FAILED, "embed")


def test_resuming_starts_every_stage_that_follows_what_is_done(batch: Batch, user: Any) -> None:
    document = up_to_preview(batch)
    batches.cancel(Document.objects.filter(id=document.id), user)

    batches.resume(Document.objects.filter(id=document.id), user)

    states = dict(StageRun.objects.values_list("stage", "state"))
    assert (states["preview"], states["embed"]) == ("ready", "ready")
    show(document)
    learn(document)
    assert fresh(document).status == Status.READY


def test_a_turn_at_something_optional_takes_required_work_first(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    up_to_preview(batch)
    up_to_preview(batch, "folder/b.txt")
    taken: list[StageName] = []

    def noting(work: Sequence[Held]) -> Iterator[tuple[Held, Result]]:
        for held in work:
            taken.append(held.lease.stage)
            yield held, lambda document: True

    stages = {stage.name: replace(stage, run=noting) for stage in STAGES}
    monkeypatch.setattr(turns, "get_stage", stages.__getitem__)
    monkeypatch.setattr(turns, "REQUIRED", [stages[stage.name] for stage in REQUIRED])

    turns.work_on(StageName.PREVIEW, Bells(lambda stage: None, lambda: None))

    assert taken == ["embed", "embed", "preview", "preview"]


def test_work_that_nobody_may_take_does_not_hold_the_optional_up(batch: Batch) -> None:
    document = up_to_preview(batch)
    Workspace.objects.update(max_inflight=1)
    busy = leases.claim(get_stage(StageName.EMBED), uuid4(), limit=1)
    up_to_preview(batch, "folder/b.txt")

    turns.work_on(StageName.PREVIEW, Bells(lambda stage: None, lambda: None))

    assert [lease.document_id for lease in busy] == [document.id]
    assert Document.objects.filter(preview_version=1).exists()
