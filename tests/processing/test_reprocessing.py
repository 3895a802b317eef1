"""Reading anew: the old text is found until the new one is complete, and then only the new."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rest_framework.test import APIClient

from documents.errors import ConflictError, CorruptError, LeaseLostError
from documents.models import Batch, Document
from documents.services import batches
from documents.services.reprocessing import reprocess, reprocess_one
from documents.states import Status
from processing import generations, leases
from processing.models import Chunk, IngestJob, PageText, StageAttempt, StageName, StageRun
from processing.search import search
from processing.selectors import pages_of
from tests.factories import make_batch, make_document
from tests.processing.books import check_books, phases
from tests.processing.lifecycle import (
    TEXT,
    adorn,
    arrived,
    claim,
    embedded,
    expire,
    extracted,
    finish,
    fresh,
    learn,
    read,
    ready,
    verify,
)
from tests.processing.search_library import CompassEmbedder, paths

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedding")]
CONTENT = b"The gate opens at dawn."
NEW = "A ferry crossed in the fog."


@pytest.fixture
def document(batch: Batch) -> Document:
    return ready(batch, CONTENT)


def found(user: Any, question: str) -> list[str]:
    return paths(search(user, question, mode="keyword"))


def again(document: Document, user: Any) -> Document:
    reprocess_one(document, user)
    return fresh(document)


def test_the_old_text_is_found_until_the_new_one_is_complete(document: Document, user: Any) -> None:
    again(document, user)
    seen: list[tuple[list[str], list[str], list[str]]] = []
    steps: list[Callable[[], None]] = [lambda: read(document, NEW), lambda: learn(document)]

    for step in [lambda: None, *steps]:
        step()
        shown = [page.text for page in pages_of(fresh(document))]
        seen.append((found(user, "lantern"), found(user, "ferry"), shown))

    adorn(document)
    here = [document.path]
    assert seen == [(here, [], [TEXT]), (here, [], [TEXT]), ([], here, [NEW])]
    assert fresh(document).status == Status.READY


def test_title_and_pages_change_with_the_text_and_not_before(document: Document, user: Any) -> None:
    again(document, user)
    lease = claim(document, StageName.EXTRACT)

    finish(lease, extracted(NEW, "And came back.", title="Ferries"))
    before = fresh(document)
    learn(document)
    after = fresh(document)

    assert (before.title, before.pages) == (TEXT, 1)
    assert (after.title, after.pages) == ("Ferries", 2)


def test_searchable_counts_do_not_go_down_meanwhile(
    batch: Batch, document: Document, user: Any
) -> None:
    before = phases(batch)["searchable"]

    again(document, user)
    during = phases(batch)["searchable"]
    check_books()
    read(document, NEW)
    check_books()
    learn(document)

    assert before == during == phases(batch)["searchable"] == [1, 1]
    check_books()


def test_a_new_reading_that_fails_leaves_the_document_found_and_honest(
    document: Document, user: Any
) -> None:
    again(document, user)

    leases.fail(claim(document, StageName.EXTRACT), CorruptError("It is damaged."))

    failed = fresh(document)
    assert (failed.status, failed.error_code) == (Status.PARTIAL, "corrupt")
    assert found(user, "lantern") == [document.path]
    check_books()

    batches.retry(Document.objects.filter(id=document.id), user)
    read(document, NEW)
    adorn(document)
    learn(document)

    assert fresh(document).status == Status.READY
    assert fresh(document).error_code == ""
    assert found(user, "ferry") == [document.path]


def test_a_second_reprocess_ends_the_first_and_its_worker_writes_nothing(
    document: Document, user: Any
) -> None:
    again(document, user)
    late = claim(document, StageName.EXTRACT)

    again(document, user)

    assert leases.still_held([late]) == set()
    with pytest.raises(LeaseLostError):
        finish(late, extracted(NEW))
    assert StageAttempt.objects.get(run_id=late.run_id).outcome == "cancelled"
    assert fresh(document).generation == 3
    read(document, NEW)
    learn(document)
    assert found(user, "ferry") == [document.path]
    check_books()


@pytest.mark.parametrize("why", ["older generation", "cancelled"])
def test_a_lease_that_nobody_wants_does_not_stay_leased(document: Document, why: str) -> None:
    document = fresh(document)
    StageRun.objects.filter(stage=StageName.EMBED).update(state="ready")
    lease = claim(document, StageName.EMBED)
    # As if the statement that ended it had not seen it: the reaper must not depend on that.
    if why == "cancelled":
        Document.objects.filter(id=document.id).update(status=Status.CANCELLED)
    else:
        Document.objects.filter(id=document.id).update(generation=2)
    expire(lease)

    assert leases.reap() == 1
    assert leases.reap() == 0

    run = StageRun.objects.get(id=lease.run_id)
    assert (run.state, run.lease_token, run.crashes) == ("cancelled", None, 0)
    assert run.attempts.latest("n").outcome == "cancelled"


def test_pruning_removes_what_was_replaced_in_bounded_steps(
    document: Document, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(document, user)
    read(document, NEW)
    learn(document)
    monkeypatch.setattr(generations, "ROWS_AT_ONCE", 1)

    steps = [generations.prune() for _ in range(4)]

    assert steps == [1, 1, 0, 0]
    assert list(Chunk.objects.values_list("generation", flat=True)) == [2]
    assert list(PageText.objects.values_list("generation", flat=True)) == [2]
    assert not IngestJob.objects.filter(is_stale=True).exists()


def test_pruning_leaves_what_is_shown_and_what_is_being_made(document: Document, user: Any) -> None:
    again(document, user)
    read(document, NEW)
    again(document, user)
    read(document, NEW)

    generations.prune()

    kept = set(Chunk.objects.values_list("generation", flat=True))
    assert kept == {1, 3}
    assert found(user, "lantern") == [document.path]


def test_the_ledger_keeps_every_attempt(document: Document, user: Any) -> None:
    again(document, user)
    read(document, NEW)
    learn(document)
    generations.prune()

    assert StageAttempt.objects.filter(run__document=document).count() == 7
    verified = StageRun.objects.get(document=document, generation=2, stage=StageName.VERIFY)
    assert (verified.state, verified.attempt) == ("done", 0)


def test_unchanged_chunks_keep_their_vectors(
    document: Document, user: Any, embedding: CompassEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(document, user)
    read(document, TEXT, NEW)
    asked: list[str] = []

    def noting(texts: list[str]) -> Any:
        asked.extend(texts)
        return np.asarray([(0.0, 1.0)] * len(texts), np.float32)

    monkeypatch.setattr(embedding, "embed", noting)
    lease = claim(document, StageName.EMBED)
    finish(lease, embedded([lease]))

    assert asked == [NEW]
    vectors = Chunk.objects.filter(generation=2).order_by("ordinal").values_list("embedding")
    assert [vector for (vector,) in vectors] == [[1.0, 0.0], [0.0, 1.0]]


def test_words_are_found_at_once_where_nothing_was_read_before(batch: Batch, user: Any) -> None:
    document = arrived(batch, CONTENT)
    verify(document, CONTENT)
    leases.fail(claim(document, StageName.EXTRACT), CorruptError("It is damaged."))

    again(document, user)
    read(document, NEW)

    assert found(user, "ferry") == [document.path]
    adorn(document)
    learn(document)
    assert fresh(document).status == Status.READY
    check_books()


def test_cancelled_while_it_is_read_anew_it_goes_on_where_it_stood(
    document: Document, user: Any
) -> None:
    again(document, user)
    read(document, NEW)
    batches.cancel(Document.objects.filter(id=document.id), user)
    hidden = found(user, "lantern")
    check_books()

    batches.resume(Document.objects.filter(id=document.id), user)
    shown = found(user, "lantern")
    learn(document)

    assert (hidden, shown) == ([], [document.path])
    assert found(user, "ferry") == [document.path]
    check_books()


def test_a_duplicate_is_read_anew_through_its_original(document: Document, user: Any) -> None:
    copy = make_document(document.batch, status=Status.DUPLICATE, duplicate_of=document)

    again(copy, user)

    assert (fresh(copy).status, fresh(document).status) == (Status.DUPLICATE, Status.PROCESSING)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.AWAITING, "not stored"),
        (Status.REJECTED, "not stored"),
        (Status.FAILED, "Retry it"),
        (Status.CANCELLED, "Resume it"),
    ],
)
def test_what_has_no_verified_bytes_is_refused_with_what_to_do(
    batch: Batch, user: Any, status: Status, said: str
) -> None:
    document = make_document(batch, status=status)

    with pytest.raises(ConflictError, match=said):
        reprocess_one(document, user)

    assert fresh(document).generation == 1


def test_the_api_answers_with_the_document_or_a_conflict(document: Document, user: Any) -> None:
    api = APIClient()
    api.force_authenticate(user)
    waiting = make_document(document.batch)

    taken = api.post(f"/api/v1/documents/{document.id}/reprocess")
    refused = api.post(f"/api/v1/documents/{waiting.id}/reprocess")

    assert (taken.status_code, taken.json()["status"]) == (200, "processing")
    states = [stage["state"] for stage in taken.json()["stages"]]
    assert states == ["done", "ready", "blocked", "blocked", "blocked"]
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_the_queries_of_a_reprocess_do_not_grow_with_it(
    user: Any, django_assert_max_num_queries: Any
) -> None:
    batch = make_batch(user.memberships.get().workspace)
    for at in range(30):
        stored = {"stored_key": f"stored/{at}", "sha256": f"{at:064x}"}
        make_document(batch, status=Status.READY, **stored)

    with django_assert_max_num_queries(25):
        assert reprocess(Document.objects.filter(batch=batch), user) == 30
