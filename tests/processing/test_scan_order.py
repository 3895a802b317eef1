"""Others go first between the turns at a long scan, and it is read all the same."""

from uuid import uuid4

import pytest

from documents.errors import (
    StorageError,
)
from documents.models import Batch
from processing import leases, turns
from processing.models import StageName, StageRun
from processing.stage import Aside
from tests.factories import make_batch, make_workspace
from tests.processing import scan_turns
from tests.processing.lifecycle import arrived, claim, due, fresh
from tests.processing.scan_engine import PAGES, PAGES_A_TURN
from tests.processing.scan_turns import (
    BELLS,
    EXTRACT,
    run,
    take_turn,
    texts,
    the_run,
    turns_taken,
    verified,
    work_through,
)

pytestmark = pytest.mark.django_db
engine = scan_turns.engine


def test_small_documents_of_others_are_read_between_the_turns_of_two_long_scans() -> None:
    scans, others = make_batch(), make_batch()
    for name in ("scan one", "scan two"):
        verified(scans, name)
    # Enough to be no drop of a few, which would go first in any case.
    small = [verified(others, f"small {at}").name for at in range(10)]

    work_through()

    both = ["scan one", "scan two"]
    assert turns_taken() == [*both, *small, *both * (PAGES // PAGES_A_TURN - 1)]


def test_a_scan_alone_is_read_at_once(batch: Batch) -> None:
    document = verified(batch, "scan")

    work_through()

    assert all(texts(fresh(document)))
    assert the_run(document).attempt == 1


def test_whoever_waits_in_its_own_workspace_goes_before_a_scan_that_rests() -> None:
    workspace = make_workspace()
    verified(make_batch(workspace, lane="interactive"), "scan")
    verified(make_batch(workspace, lane="bulk"), "small")

    work_through()

    assert turns_taken()[:3] == ["scan", "small", "scan"]


def test_a_scan_that_has_rested_goes_first_in_its_lane_again() -> None:
    workspace = make_workspace()
    scan = verified(make_batch(workspace, lane="interactive"), "scan")
    take_turn(scan)
    verified(make_batch(workspace, lane="bulk"), "small")
    StageRun.objects.filter(document=scan).update(rests_until="2020-01-01T00:00Z")

    (lease,) = leases.claim(EXTRACT, uuid4(), limit=1)

    assert lease.document_id == scan.id


@pytest.mark.parametrize(("lane", "keeps_its_place"), [("interactive", False), ("bulk", True)])
def test_in_the_bulk_lane_the_first_are_done_first(lane: str, keeps_its_place: bool) -> None:
    scan = verified(make_batch(lane=lane), "scan")
    lease = claim(scan, StageName.EXTRACT)
    stood_at = the_run(scan).run_at
    result = run(lease)
    assert isinstance(result, Aside)

    leases.step_aside(lease, result)

    assert (the_run(scan).run_at == stood_at) == keeps_its_place


def test_a_scan_that_rests_leaves_the_thread_to_other_stages(batch: Batch) -> None:
    take_turn(verified(batch, "scan"))
    arrived(batch, b"small", "small")

    # It waits to be verified.
    assert turns.work_on(StageName.EXTRACT, BELLS) == 0


def test_what_waits_to_be_tried_again_is_not_taken_for_resting(batch: Batch) -> None:
    document = verified(batch, "scan")
    due()
    leases.fail(claim(document, StageName.EXTRACT), StorageError("Storage is away."))

    assert leases.claim(EXTRACT, uuid4(), limit=1, resting=True) == []
