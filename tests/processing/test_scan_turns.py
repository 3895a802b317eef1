"""A long scan is read in turns, and nothing is read twice."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from dashboard.queries import timeline
from documents import faults
from documents.errors import (
    CrashedError,
    LeaseLostError,
    SluiceError,
    StorageError,
)
from documents.models import Batch, Document
from documents.services import batches, deletion, reprocessing
from documents.services.uploads import Declaration, register
from documents.states import Status
from processing import generations, leases
from processing.models import ScanSlice, StageAttempt, StageName, StageRun
from processing.selectors import stages_of
from processing.stage import Aside
from tests.factories import make_batch
from tests.processing import scan_turns
from tests.processing.lifecycle import claim, expire, fresh
from tests.processing.scan_engine import PAGE_SECONDS, PAGES, PAGES_A_TURN, Engine
from tests.processing.scan_turns import (
    CRASH,
    HANGS,
    read_whole,
    run,
    take_turn,
    texts,
    the_run,
    told,
    turns_taken,
    verified,
)

pytestmark = pytest.mark.django_db
engine = scan_turns.engine


@pytest.mark.parametrize(
    ("spoilt", "deadly"),
    [(set(), {}), ({4, 12}, {}), (set(), {1: CRASH, 5: HANGS}), ({6}, {8: CRASH, 20: CRASH})],
)
def test_many_turns_come_to_what_one_would(
    engine: Engine, settings: Settings, spoilt: set[int], deadly: dict[int, SluiceError]
) -> None:
    engine.spoilt, engine.deadly = spoilt, deadly
    in_turns = read_whole(verified(make_batch(), "scan"))
    n_turns = len(turns_taken())

    settings.OCR_SLICE_SECONDS = settings.OCR_MAX_SECONDS
    at_once = read_whole(verified(make_batch(), "scan"))

    assert n_turns >= PAGES // PAGES_A_TURN
    assert len(turns_taken()) == n_turns + 1
    assert told(in_turns) == told(at_once)
    assert sum(map(bool, texts(in_turns))) == PAGES - len(spoilt) - len(deadly)
    assert in_turns.language == "en"


def test_no_page_is_read_twice_and_no_document_parsed_between(batch: Batch, engine: Engine) -> None:
    read_whole(verified(batch, "scan"))

    assert engine.recognised == list(range(1, PAGES + 1))
    assert engine.parsed == ["scan", "scan"]
    assert not ScanSlice.objects.exists()


def test_all_turns_share_the_seconds_of_a_document(
    batch: Batch, settings: Settings, engine: Engine
) -> None:
    settings.OCR_MAX_SECONDS = 12 * PAGE_SECONDS

    document = read_whole(verified(batch, "scan"))

    assert engine.recognised == list(range(1, 13))
    assert document.metadata["notice"] == (
        "Text was recognised on 12 of 20 scanned pages: the 1,200 seconds for it were over."
        " The others are not searchable."
    )


def test_a_lost_sandbox_is_no_fault_of_the_page(batch: Batch, engine: Engine) -> None:
    lost = CrashedError("The sandbox was lost while it read the document.")
    engine.deadly = {7: lost}
    document = verified(batch, "scan")
    take_turn(document)

    result = take_turn(document)

    assert result is lost
    assert the_run(document).crashes == 1


# --- the lease ----------------------------------------------------------------


def test_stepping_aside_burns_no_attempt(batch: Batch) -> None:
    document = verified(batch, "scan")

    take_turn(document)
    take_turn(document)

    left = the_run(document)
    assert (left.state, left.attempt, left.crashes) == ("ready", 0, 0)
    ledger = StageAttempt.objects.filter(run=left).values_list("n", "outcome")
    assert list(ledger) == [(1, "aside"), (1, "aside")]
    assert fresh(document).status == Status.PROCESSING


def test_all_turns_of_an_attempt_are_told_as_one(batch: Batch) -> None:
    document = verified(batch, "scan")
    read_whole(document)
    StageAttempt.objects.update(started_at="2020-01-01T00:00:00Z", ended_at="2020-01-01T00:00:07Z")

    (line,) = [line for line in timeline(fresh(document)) if line.seconds == 28]
    (stage,) = [one for one in stages_of([document.id])[document.id] if one["stage"] == "extract"]

    assert line.attempts == 1
    assert (stage["attempt"], stage["seconds"]) == (1, 28)


def test_after_a_kill_only_the_pages_of_that_turn_are_read_again(
    batch: Batch, engine: Engine
) -> None:
    document = verified(batch, "scan")
    take_turn(document)
    killed = claim(document, StageName.EXTRACT)
    late = run(killed)
    expire(killed)
    leases.reap()
    engine.recognised.clear()

    read_whole(document)

    assert engine.recognised == list(range(PAGES_A_TURN + 1, PAGES + 1))
    assert (the_run(document).crashes, the_run(document).attempt) == (1, 2)
    assert isinstance(late, Aside)
    with pytest.raises(LeaseLostError):
        leases.step_aside(killed, late)


def test_a_stale_worker_keeps_nothing(batch: Batch) -> None:
    document = verified(batch, "scan")
    stale = claim(document, StageName.EXTRACT)
    result = run(stale)
    assert isinstance(result, Aside)
    expire(stale)
    leases.reap()

    with pytest.raises(LeaseLostError):
        leases.step_aside(stale, result)

    assert not ScanSlice.objects.exists()
    assert the_run(document).attempt == 1


def test_who_breaks_while_stepping_aside_has_kept_nothing(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = verified(batch, "scan")
    lease = claim(document, StageName.EXTRACT)
    result = run(lease)
    assert isinstance(result, Aside)

    def strike(name: str, subject: str = "") -> None:
        raise faults.FaultError(name)

    with monkeypatch.context() as patch:
        patch.setattr(faults, "point", strike)
        with pytest.raises(faults.FaultError, match=r"aside\.before_commit"):
            leases.step_aside(lease, result)

    assert not ScanSlice.objects.exists()
    assert leases.still_held([lease]) == {lease.token}


def cancel(document: Document, user: Any) -> None:
    batches.cancel(Document.objects.filter(id=document.id), user)


@pytest.mark.parametrize("end", [cancel, deletion.delete, reprocessing.reprocess_one])
def test_who_is_not_wanted_any_more_keeps_nothing(
    batch: Batch, user: Any, end: Callable[[Document, Any], None]
) -> None:
    document = verified(batch, "scan")
    lease = claim(document, StageName.EXTRACT)
    result = run(lease)
    assert isinstance(result, Aside)

    end(document, user)

    with pytest.raises(LeaseLostError):
        leases.step_aside(lease, result)
    assert not ScanSlice.objects.exists()


# --- what becomes of the pages ------------------------------------------------


def test_a_cancelled_scan_that_is_resumed_goes_on(batch: Batch, user: Any, engine: Engine) -> None:
    document = verified(batch, "scan")
    take_turn(document)
    cancel(document, user)

    batches.resume(Document.objects.filter(id=document.id), user)
    read_whole(document)

    assert engine.recognised == list(range(1, PAGES + 1))


def test_a_scan_that_failed_and_is_tried_again_goes_on(
    batch: Batch, user: Any, engine: Engine
) -> None:
    document = verified(batch, "scan")
    take_turn(document)
    StageRun.objects.update(max_attempts=1)
    leases.fail(claim(document, StageName.EXTRACT), StorageError("Storage is away."))

    batches.retry(Document.objects.filter(id=document.id), user)
    read_whole(document)

    assert engine.recognised == list(range(1, PAGES + 1))


def test_a_scan_read_anew_begins_with_its_first_page(
    batch: Batch, user: Any, engine: Engine
) -> None:
    document = verified(batch, "scan")
    take_turn(document)
    engine.recognised.clear()

    reprocessing.reprocess_one(document, user)
    read_whole(fresh(document))
    generations.prune()

    assert engine.recognised == list(range(1, PAGES + 1))
    assert not ScanSlice.objects.exists()


def test_the_heir_of_a_scan_goes_on_with_its_pages(batch: Batch, user: Any, engine: Engine) -> None:
    original = verified(batch, "scan")
    again = Declaration("scan again", "scan again", original.size, original.sha256)
    (upload,) = register(make_batch(batch.workspace), [again]).uploads
    take_turn(original)

    deletion.delete(original, user)
    heir = read_whole(upload.document)

    assert engine.recognised == list(range(1, PAGES + 1))
    assert all(texts(heir))
