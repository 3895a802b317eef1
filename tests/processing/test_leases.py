"""Claims, fences, retries and reaping, on the real database."""

from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from documents.errors import (
    CorruptError,
    CrashedError,
    LeaseLostError,
    RateLimitError,
    StorageError,
)
from documents.models import Batch, Document
from documents.services import batches
from documents.services.arrivals import accept
from documents.states import Status
from processing import leases
from processing.models import RunState, StageAttempt, StageName, StageRun
from processing.pipeline import OF_ALL, following, get_stage
from processing.stage import Lease
from tests.factories import make_batch, make_document, make_user, make_workspace
from tests.processing.lifecycle import expire, seconds_until_run

pytestmark = pytest.mark.django_db
VERIFY = get_stage(StageName.VERIFY)


def uploaded(batch: Batch, n: int = 1) -> list[Document]:
    documents = [make_document(batch) for _ in range(n)]
    accept(batch, [document.id for document in documents])
    return documents


def claim_one() -> Lease:
    (lease,) = leases.claim(VERIFY, uuid4(), limit=1)
    return lease


def run_of(lease: Lease) -> StageRun:
    return StageRun.objects.get(id=lease.run_id)


def keep(document: Document) -> bool:
    return True


def test_a_claim_leases_the_run_and_opens_an_attempt() -> None:
    (document,) = uploaded(make_batch())

    lease = claim_one()

    run = run_of(lease)
    assert (lease.document_id, lease.attempt) == (document.id, 1)
    assert (run.state, run.lease_token) == (RunState.LEASED, lease.token)
    assert StageAttempt.objects.get(run=run).outcome == ""


def test_second_worker_does_not_claim_a_leased_run() -> None:
    uploaded(make_batch())
    claim_one()

    assert leases.claim(VERIFY, uuid4(), limit=5) == []


def test_workspaces_take_turns() -> None:
    whale, small = make_batch(), make_batch()
    uploaded(whale, 30)
    uploaded(small, 3)

    claimed = leases.claim(VERIFY, uuid4(), limit=6)

    assert Counter(lease.workspace_id for lease in claimed) == {
        whale.workspace_id: 3,
        small.workspace_id: 3,
    }


def test_a_heavier_workspace_gets_its_share() -> None:
    heavy, light = make_batch(make_workspace(weight=3)), make_batch()
    uploaded(heavy, 20)
    uploaded(light, 20)

    claimed = leases.claim(VERIFY, uuid4(), limit=8)

    assert Counter(lease.workspace_id for lease in claimed)[heavy.workspace_id] == 6


def test_a_workspace_never_has_more_in_flight_than_its_cap() -> None:
    uploaded(make_batch(make_workspace(max_inflight=2)), 10)

    first = leases.claim(VERIFY, uuid4(), limit=8)
    second = leases.claim(VERIFY, uuid4(), limit=8)

    assert (len(first), len(second)) == (2, 0)


def test_interactive_passes_bulk_within_a_workspace() -> None:
    workspace = make_workspace()
    uploaded(make_batch(workspace, lane="bulk"), 5)
    (document,) = uploaded(make_batch(workspace, lane="interactive"))

    assert claim_one().document_id == document.id


def test_finish_writes_and_readies_what_follows() -> None:
    uploaded(make_batch())
    lease = claim_one()

    leases.finish(lease, keep, following(StageName.VERIFY))

    states = dict(StageRun.objects.values_list("stage", "state"))
    assert states == {
        "verify": "done",
        "extract": "ready",
        "preview": "blocked",
        "embed": "blocked",
        "enrich": "blocked",
    }
    assert StageAttempt.objects.get().outcome == "ok"


def test_finish_after_a_reap_changes_nothing() -> None:
    uploaded(make_batch())
    lease = claim_one()
    expire(lease)
    leases.reap()

    def write(document: Document) -> bool:
        Document.objects.filter(id=document.id).update(title="from a zombie")
        return True

    with pytest.raises(LeaseLostError):
        leases.finish(lease, write, following(StageName.VERIFY))

    assert Document.objects.get().title == ""
    assert run_of(lease).state == RunState.READY


def test_reap_leaves_a_lease_that_was_extended_meanwhile() -> None:
    uploaded(make_batch())
    lease = claim_one()
    expire(lease)
    leases.beat([lease])

    assert leases.reap() == 0
    assert leases.still_held([lease]) == {lease.token}


def test_a_run_that_crashed_once_is_for_the_quarantine_only() -> None:
    uploaded(make_batch())
    lease = claim_one()
    expire(lease)
    leases.reap()
    StageRun.objects.update(run_at="2020-01-01T00:00Z")

    assert leases.claim(VERIFY, uuid4(), limit=1) == []
    (again,) = leases.claim(VERIFY, uuid4(), limit=1, quarantine=True)
    assert (again.crashes, again.attempt) == (1, 2)


def test_three_crashes_are_the_end() -> None:
    uploaded(make_batch())

    for _ in range(3):
        StageRun.objects.filter(state="ready").update(run_at="2020-01-01T00:00Z")
        claimed = leases.claim(VERIFY, uuid4(), limit=1) or leases.claim(
            VERIFY, uuid4(), limit=1, quarantine=True
        )
        expire(claimed[0])
        leases.reap()

    run, document = StageRun.objects.get(stage="verify"), Document.objects.get()
    assert (run.state, run.crashes) == (RunState.DEAD, 3)
    assert (document.status, document.error_code) == (Status.FAILED, "crashed")
    assert [attempt.outcome for attempt in StageAttempt.objects.all()] == ["crashed"] * 3


@override_settings(MAX_ATTEMPTS=3, RETRY_LADDER_SECONDS=[60, 300])
def test_a_transient_failure_climbs_the_ladder_and_then_dies() -> None:
    uploaded(make_batch())
    waits = []

    for _ in range(3):
        StageRun.objects.filter(state="ready").update(run_at="2020-01-01T00:00Z")
        lease = claim_one()
        leases.fail(lease, StorageError("Storage is away."))
        waits.append(seconds_until_run(lease))

    assert 54 <= waits[0] <= 66
    assert 270 <= waits[1] <= 330
    assert run_of(lease).state == RunState.DEAD
    assert StageAttempt.objects.count() == 3
    assert Document.objects.get().status == Status.FAILED


def test_retry_after_is_obeyed() -> None:
    uploaded(make_batch())
    lease = claim_one()

    leases.fail(lease, RateLimitError("Slow down.", retry_after_seconds=1000))

    assert 999 <= seconds_until_run(lease) <= 1101


def test_a_permanent_failure_of_verify_rejects_at_once() -> None:
    uploaded(make_batch())

    leases.fail(claim_one(), CorruptError("It is damaged."))

    document = Document.objects.get()
    assert (document.status, document.error_detail) == (Status.REJECTED, "It is damaged.")
    assert set(StageRun.objects.values_list("state", flat=True)) == {"dead", "skipped"}


def test_handing_back_burns_no_attempt() -> None:
    uploaded(make_batch())
    lease = claim_one()

    leases.hand_back(lease)

    assert (run_of(lease).state, run_of(lease).attempt) == (RunState.READY, 0)
    assert StageAttempt.objects.get().outcome == "returned"


def test_cancel_takes_the_lease_and_drops_the_result() -> None:
    batch = make_batch()
    uploaded(batch)
    lease = claim_one()

    batches.cancel_batch(batch, make_user(workspace=batch.workspace))

    assert leases.still_held([lease]) == set()
    with pytest.raises(LeaseLostError):
        leases.finish(lease, keep, following(StageName.VERIFY))
    assert StageAttempt.objects.get().outcome == "cancelled"
    assert set(StageRun.objects.values_list("state", flat=True)) == {"cancelled"}


def test_resume_takes_the_work_up_where_it_stood() -> None:
    batch = make_batch()
    user = make_user(workspace=batch.workspace)
    uploaded(batch)
    leases.finish(claim_one(), moved_on, following(StageName.VERIFY))
    batches.cancel_batch(batch, user)

    batches.resume_batch(batch, user)

    states = dict(StageRun.objects.values_list("stage", "state"))
    assert states == {
        "verify": "done",
        "extract": "ready",
        "preview": "blocked",
        "embed": "blocked",
        "enrich": "blocked",
    }
    assert Document.objects.get().status == Status.PROCESSING


def moved_on(document: Document) -> bool:
    from documents.services.moves import move

    return bool(move(Document.objects.filter(id=document.id), Status.PROCESSING))


def test_retry_raises_the_limit_and_keeps_the_ledger() -> None:
    batch = make_batch()
    uploaded(batch)
    leases.finish(claim_one(), moved_on, following(StageName.VERIFY))
    (lease,) = leases.claim(get_stage(StageName.EXTRACT), uuid4(), limit=1)
    leases.fail(lease, CorruptError("It is damaged."))
    assert Document.objects.get().status == Status.FAILED

    batches.retry(Document.objects.all(), make_user(workspace=batch.workspace))

    run = run_of(lease)
    assert (run.state, run.attempt, run.max_attempts) == (RunState.READY, 1, 7)
    assert Document.objects.get().status == Status.PROCESSING
    assert Document.objects.get().error_code == ""
    assert StageAttempt.objects.filter(run=run).count() == 1


def test_crashes_of_a_child_count_like_those_of_a_worker() -> None:
    uploaded(make_batch())
    lease = claim_one()

    leases.fail(lease, CrashedError("It crashed."))

    assert (run_of(lease).state, run_of(lease).crashes) == (RunState.READY, 1)


def test_complete_twice_makes_one_job(django_assert_num_queries: Any) -> None:
    batch = make_batch()
    (document,) = uploaded(batch)

    accept(batch, [document.id])

    assert StageRun.objects.count() == len(OF_ALL)
