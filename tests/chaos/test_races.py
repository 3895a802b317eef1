"""Whoever claims, holds, settles or takes back a run: one of them wins, in either order."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection

from documents import faults
from documents.errors import CorruptError, CrashedError, LeaseLostError, StorageError
from documents.models import Batch, Document, Event
from documents.services import batches
from processing import leases
from processing.models import IngestJob, RunState, StageName, StageRun
from processing.stage import Aside
from tests.chaos import racing
from tests.chaos.racing import (
    AROUND,
    Gate,
    InThread,
    Places,
    Work,
    assert_finished,
    assert_taken_back,
    at_once,
    claim,
    everything,
    make_ready,
    reap,
    some_work,
    succeeds,
    the_attempt,
    wait_until_blocked,
    wipe,
)
from tests.chaos.trials import Trials
from tests.factories import make_batch, make_user, make_workspace

places = racing.places
cheap_embedder = racing.cheap_embedder
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("cheap_embedder"),
    # For hundreds of trials; whoever waits in one of them has a deadline of its own.
    pytest.mark.timeout(1800),
]
ONE_WINNER = "Of those who settle a run, exactly one wins"
# An order that is forced is the same each time; one that is not needs luck, and so more trials.
FORCED, FREE = (4, 20), (10, 100)


@pytest.mark.promise(
    "R6", ONE_WINNER, fault="the reaper comes while a result is written", trials=FORCED
)
def test_a_reaper_that_comes_during_a_finish_takes_nothing(trials: Trials, places: Places) -> None:
    for trial in trials:
        work = some_work(trial.random)
        work.expire()
        gate = places.gate("finish.after_fence")

        finisher = InThread(work.finish)
        gate.wait_until_reached()
        reaper = InThread(reap)
        wait_until_blocked(reaper)
        gate.open()

        finisher.finish()
        assert reaper.finish() == 0
        assert_finished(work)


@pytest.mark.promise(
    "R6", ONE_WINNER, fault="a result comes while the run is reaped", trials=FORCED
)
def test_a_result_that_comes_during_a_reap_is_dropped(trials: Trials, places: Places) -> None:
    for trial in trials:
        work = some_work(trial.random)
        work.expire()
        gate = places.gate("reap.before_commit")

        reaper = InThread(reap)
        gate.wait_until_reached()
        finisher = InThread(succeeds(work.finish))
        wait_until_blocked(finisher)
        gate.open()

        assert reaper.finish() == 1
        assert not finisher.finish()
        assert_taken_back(work)


@pytest.mark.promise("R6", ONE_WINNER, fault="finisher and reaper set off at once", trials=FREE)
def test_finisher_and_reaper_at_once_have_one_winner(trials: Trials) -> None:
    for trial in trials:
        work = some_work(trial.random)
        work.expire()

        finished, reaped = at_once(succeeds(work.finish), reap)

        assert finished + reaped == 1
        (assert_finished if finished else assert_taken_back)(work)


@pytest.mark.promise(
    "R6", ONE_WINNER, fault="a holder who fails or gives up, and the reaper, at once", trials=FREE
)
def test_failing_and_reaping_at_once_is_settled_once(trials: Trials) -> None:
    for trial in trials:
        work = some_work(trial.random)
        work.expire()
        own, give_up = trial.random.choice(ways_to_give_up(work))

        told, reaped = at_once(succeeds(give_up), reap)

        assert the_attempt().outcome == ("crashed" if reaped else own)
        assert work.run.crashes == reaped
        assert not StageRun.objects.filter(state=RunState.LEASED).exists()
        # Handing back what is not ours any more is no error: there is nothing to give.
        assert told + reaped == 1 or own == "returned"


def ways_to_give_up(work: Work) -> list[tuple[str, Callable[[], None]]]:
    """Return what an attempt ends as, and how."""
    return [
        ("permanent", partial(leases.fail, work.lease, CorruptError("Bad."))),
        ("transient", partial(leases.fail, work.lease, StorageError("Away."))),
        ("returned", partial(leases.hand_back, work.lease)),
    ]


@pytest.mark.promise("R6", ONE_WINNER, fault="two finishers with the same token", trials=FORCED)
def test_of_two_finishers_with_one_token_the_first_wins(trials: Trials, places: Places) -> None:
    for trial in trials:
        work = some_work(trial.random)
        gate = places.gate("finish.after_fence")

        first = InThread(succeeds(work.finish))
        gate.wait_until_reached()
        second = InThread(succeeds(work.finish))
        wait_until_blocked(second)
        gate.open()

        assert (first.finish(), second.finish()) == (True, False)
        assert_finished(work)
        moves = Event.objects.filter(kind="documents", payload__to=work.document.status)
        assert moves.count() == 1


@pytest.mark.promise("R6", ONE_WINNER, fault="a reaper while the holder is alive", trials=FORCED)
def test_the_reaper_leaves_leases_that_run(trials: Trials) -> None:
    for trial in trials:
        work = some_work(trial.random)
        before = everything()

        assert reap() == 0

        assert everything() == before
        work.finish()
        assert_finished(work)


@pytest.mark.promise("R6", ONE_WINNER, fault="a beat between the reaper's two looks", trials=FORCED)
def test_a_beat_after_the_reapers_first_look_saves_the_lease(trials: Trials) -> None:
    for trial in trials:
        work = some_work(trial.random)
        work.expire()
        gate = Gate()

        reaper = InThread(partial(reap_through, gate))
        gate.wait_until_reached()
        leases.beat([work.lease])
        gate.open()

        assert reaper.finish() == 0
        assert leases.still_held([work.lease]) == {work.lease.token}
        assert the_attempt().outcome == ""


def reap_through(gate: Gate) -> int:
    """Reap, but stand still between finding a run and locking its document."""
    with connection.execute_wrapper(gate.before("FOR NO KEY UPDATE")):
        return reap()


@pytest.mark.promise("R6", ONE_WINNER, fault="a beat while the run is reaped", trials=FORCED)
def test_a_beat_during_a_reap_neither_waits_nor_extends(trials: Trials, places: Places) -> None:
    for trial in trials:
        work = some_work(trial.random)
        work.expire()
        gate = places.gate("reap.before_commit")

        reaper = InThread(reap)
        gate.wait_until_reached()
        beater = InThread(partial(leases.beat, [work.lease]))
        wait_until_blocked(beater)
        has_waited = beater.is_alive()
        gate.open()

        assert not has_waited
        assert reaper.finish() == 1
        assert leases.still_held([work.lease]) == set()
        assert_taken_back(work)


def cancel_document(document: Document) -> int:
    user = make_user(workspace=document.workspace)
    return batches.cancel(Document.objects.filter(id=document.id), user)


@pytest.mark.promise("R6", ONE_WINNER, fault="a claim while its run is cancelled", trials=FORCED)
def test_a_claim_during_a_cancel_passes_the_run_by(trials: Trials, places: Places) -> None:
    for trial in trials:
        wipe()
        stage = trial.random.choice(list(AROUND))
        (document,) = make_ready(stage, 1)
        gate = places.gate("cancel.before_commit")

        canceller = InThread(partial(cancel_document, document))
        gate.wait_until_reached()
        claimer = InThread(partial(claim, stage))
        wait_until_blocked(claimer)
        gate.open()

        assert (canceller.finish(), claimer.finish()) == (1, [])
        states = StageRun.objects.exclude(state=RunState.DONE).values_list("state", flat=True)
        assert set(states) == {RunState.CANCELLED}


@pytest.mark.promise("R6", ONE_WINNER, fault="a claim before another's commit", trials=FORCED)
def test_two_claims_share_neither_a_run_nor_more_than_the_cap(
    trials: Trials, places: Places
) -> None:
    for trial in trials:
        wipe()
        stage = trial.random.choice(list(AROUND))
        cap = trial.random.randint(1, 4)
        workspace = make_workspace(max_inflight=cap)
        make_ready(stage, 4, batch=make_batch(workspace, lane="bulk"))
        gate = places.gate("claim.before_commit")

        first = InThread(partial(claim, stage, limit=2))
        gate.wait_until_reached()
        # What comes now goes first: a claim that counts only what it sees takes all of it.
        make_ready(stage, 4, batch=make_batch(workspace, lane="interactive"))
        second = InThread(partial(claim, stage, limit=6))
        wait_until_blocked(second)
        gate.open()

        claimed = [lease.run_id for lease in first.finish() + second.finish()]
        assert len(claimed) == len(set(claimed)) == cap
        assert StageRun.objects.filter(state=RunState.LEASED).count() == cap


@pytest.mark.promise("R6", ONE_WINNER, fault="eight claims at once", trials=FREE)
def test_claims_at_once_give_each_run_to_one(trials: Trials) -> None:
    for trial in trials:
        wipe()
        stage = trial.random.choice(list(AROUND))
        made = [batch_of(stage, trial.random.randint(1, 6)) for _ in range(2)]
        limit = trial.random.randint(1, 4)

        claimed = at_once(*[partial(claim, stage, limit=limit)] * 8)

        runs = Counter(lease.run_id for one in claimed for lease in one)
        assert set(runs.values()) == {1}
        assert len(runs) == min(sum(n for _, n in made), 8 * limit)


def batch_of(stage: StageName, n: int) -> tuple[Batch, int]:
    batch = make_batch()
    make_ready(stage, n, batch=batch)
    return batch, n


ENDS = {
    "finish": ("finish.after_fence", "finish.before_commit"),
    "fail": ("fail.before_commit",),
    "hand_back": ("hand_back.before_commit",),
    "step_aside": ("aside.before_commit",),
    "reap": ("fail.before_commit", "reap.before_commit"),
}
WRITES = {StageName.VERIFY: "verify.before_commit", StageName.EMBED: "embed.before_commit"}


@pytest.mark.promise("R6", ONE_WINNER, fault="whoever settles a run ends half-way", trials=FORCED)
def test_who_ends_half_way_has_changed_nothing(trials: Trials, places: Places) -> None:
    for trial in trials:
        work = some_work(trial.random)
        work.expire()
        acts: dict[str, Callable[[], object]] = {
            "finish": work.finish,
            "fail": partial(leases.fail, work.lease, CrashedError("It crashed.")),
            "hand_back": partial(leases.hand_back, work.lease),
            "step_aside": partial(leases.step_aside, work.lease, Aside(_rename, 1.0)),
            "reap": reap,
        }
        before = everything()

        ends = [(act, place) for act, found in ENDS.items() for place in found]
        ends.append(("finish", WRITES[work.lease.stage]))
        for act, place in trial.random.sample(ends, len(ends)):
            places.break_at(place)
            with pytest.raises(faults.FaultError):
                acts[act]()
            assert everything() == before, place

        places.clear()
        work.finish()
        assert_finished(work)
        with pytest.raises(LeaseLostError):
            work.finish()
        assert IngestJob.objects.count() == 1


def _rename(document: Document) -> None:
    """Stand for what a turn keeps."""
    Document.objects.filter(id=document.id).update(title="So far.")
