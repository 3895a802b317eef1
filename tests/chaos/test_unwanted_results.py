"""A document is cancelled, deleted or read anew under the hands of who works on it."""

from functools import partial

import pytest

from documents.models import Document
from documents.services import batches
from documents.services.deletion import delete
from documents.services.reprocessing import reprocess
from documents.states import Status
from processing.models import Chunk, IngestJob, RunState, StageAttempt, StageName, StageRun
from tests.chaos import racing
from tests.chaos.racing import (
    InThread,
    Places,
    Work,
    assert_finished,
    assert_taken_back,
    at_once,
    make_work,
    reap,
    some_work,
    succeeds,
    the_attempt,
    wait_until_blocked,
    wipe,
)
from tests.chaos.trials import Trial, Trials
from tests.factories import make_user

places = racing.places
cheap_embedder = racing.cheap_embedder
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("cheap_embedder"),
    # For hundreds of trials; whoever waits in one of them has a deadline of its own.
    pytest.mark.timeout(1800),
    pytest.mark.parametrize("how", ["cancel", "delete", "reprocess"]),
]
ONE_WINNER = "Of those who settle a run, exactly one wins"
FORCED, FREE = (4, 20), (10, 100)


def work_to_call_off(trial: Trial, how: str) -> Work:
    if how != "reprocess":
        return some_work(trial.random)
    # Only what is stored can be read anew.
    wipe()
    work = make_work(StageName.EMBED)
    Document.objects.update(stored_key=f"stored/{work.lease.document_id}")
    return work


def call_off(work: Work, how: str) -> int:
    """Return how many documents were cancelled, deleted or begun anew."""
    document = work.document
    user = make_user(workspace=document.workspace)
    if how == "delete":
        delete(document, user)
        return 1
    act = reprocess if how == "reprocess" else batches.cancel
    return act(Document.objects.filter(id=document.id), user)


def assert_called_off(work: Work, how: str, outcome: str) -> None:
    {"cancel": assert_cancelled, "delete": assert_deleted, "reprocess": assert_begun_anew}[how](
        work, outcome
    )


def assert_cancelled(work: Work, outcome: str) -> None:
    assert work.document.status == Status.CANCELLED
    assert the_attempt().outcome == outcome
    left = StageRun.objects.exclude(state__in=(RunState.DONE, RunState.CANCELLED))
    assert not left.exists()


def assert_deleted(work: Work, outcome: str) -> None:
    for model in (Document, IngestJob, StageRun, StageAttempt, Chunk):
        assert not model.objects.exists(), model


def assert_begun_anew(work: Work, outcome: str) -> None:
    assert (work.document.status, work.document.generation) == (Status.PROCESSING, 2)
    assert the_attempt().outcome == outcome
    older = StageRun.objects.filter(generation=1).values_list("state", flat=True)
    assert set(older) <= {RunState.DONE, RunState.CANCELLED}
    fresh = StageRun.objects.filter(generation=2).values_list("stage", "state")
    assert dict(fresh) == {
        "verify": "done",
        "extract": "ready",
        "preview": "blocked",
        "embed": "blocked",
        "enrich": "blocked",
    }


@pytest.mark.promise("R6", ONE_WINNER, fault="called off while a result is written", trials=FORCED)
def test_who_calls_off_during_a_finish_waits_for_its_end(
    trials: Trials, places: Places, how: str
) -> None:
    for trial in trials:
        work = work_to_call_off(trial, how)
        gate = places.gate("finish.after_fence")

        finisher = InThread(succeeds(work.finish))
        gate.wait_until_reached()
        other = InThread(partial(call_off, work, how))
        wait_until_blocked(other)
        gate.open()

        assert finisher.finish()
        if other.finish():
            assert_called_off(work, how, "ok")
        else:
            # A document that is ready by then cannot be cancelled any more.
            assert (how, work.lease.stage) == ("cancel", StageName.EMBED)
            assert_finished(work)


@pytest.mark.promise("R6", ONE_WINNER, fault="a result comes while it is called off", trials=FORCED)
def test_a_result_that_comes_meanwhile_is_dropped(trials: Trials, places: Places, how: str) -> None:
    for trial in trials:
        work = work_to_call_off(trial, how)
        gate = places.gate(f"{how}.before_commit")

        other = InThread(partial(call_off, work, how))
        gate.wait_until_reached()
        finisher = InThread(succeeds(work.finish))
        wait_until_blocked(finisher)
        gate.open()

        assert other.finish() == 1
        assert not finisher.finish()
        assert_called_off(work, how, "cancelled")


@pytest.mark.promise("R6", ONE_WINNER, fault="finished, reaped and called off at once", trials=FREE)
def test_finisher_reaper_and_who_calls_off_leave_one_story(trials: Trials, how: str) -> None:
    for trial in trials:
        work = work_to_call_off(trial, how)
        work.expire()

        called_off, finished, reaped = at_once(
            partial(call_off, work, how), succeeds(work.finish), reap
        )

        assert finished + reaped <= 1
        assert finished or reaped or called_off
        if called_off:
            outcome = "ok" if finished else "crashed" if reaped else "cancelled"
            assert_called_off(work, how, outcome)
        else:
            (assert_finished if finished else assert_taken_back)(work)
