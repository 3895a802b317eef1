"""The heartbeat goes on whatever goes wrong, and finds what a broken connection left behind."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError

from documents.errors import LeaseLostError
from documents.services.arrivals import accept
from processing import leases, orphans, turns
from processing import presence as module
from processing.models import RunState, StageAttempt, StageName, StageRun, Worker
from processing.pipeline import get_stage
from processing.presence import Presence
from processing.stage import Held, Lease
from tests.factories import make_document
from tests.stack import wait_until


@pytest.fixture
def beating(transactional_db: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Presence]:
    """A presence whose looks follow each other at once."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.01)
    presence = Presence()
    yield presence
    presence.leave()


def claimed_by(worker: Presence) -> Lease:
    document = make_document()
    accept(document.batch, [document.id])
    (lease,) = leases.claim(get_stage(StageName.VERIFY), worker.id, limit=1)
    return lease


def test_a_process_that_starts_without_a_database_announces_itself_later(
    beating: Presence, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []
    announce = module.announce

    def refuse_at_first(*given: Any, **named: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("the database system is starting up")
        announce(*given, **named)

    monkeypatch.setattr(module, "announce", refuse_at_first)

    beating.start(["verify"])

    wait_until(lambda: Worker.objects.filter(id=beating.id).exists(), "it is announced")


def test_an_announcement_whose_answer_was_lost_may_be_repeated(transactional_db: Any) -> None:
    process_id = uuid4()

    for _ in range(2):
        module.announce(process_id, Worker.Kind.WORKER, queues=[])

    assert Worker.objects.count() == 1


@pytest.mark.parametrize("error", [OperationalError("gone"), KeyError("unforeseen")])
def test_the_heartbeat_survives(
    beating: Presence, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    lease = claimed_by(beating)
    looks = []

    def fail_at_first(held: list[Lease]) -> set[Any]:
        looks.append(1)
        if len(looks) < 3:
            raise error
        return {lease.token for lease in held}

    monkeypatch.setattr(leases, "still_held", fail_at_first)

    with beating.holding([Held(lease)]):
        beating.start([])
        wait_until(lambda: len(looks) > 5, "it looks on")


def test_a_claim_whose_answer_was_lost_is_handed_back_uncharged(beating: Presence) -> None:
    lease = claimed_by(beating)

    beating.doubt()
    beating.start([])

    wait_until(
        lambda: StageRun.objects.get(id=lease.run_id).state == RunState.READY, "it is handed back"
    )
    run = StageRun.objects.get(id=lease.run_id)
    assert (run.attempt, run.crashes) == (0, 0)
    assert StageAttempt.objects.get().outcome == StageAttempt.Outcome.RETURNED


def test_what_a_deaf_thread_holds_is_handed_back_for_it(
    beating: Presence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HAND_BACK_SECONDS", 0.0)
    lease = claimed_by(beating)

    with beating.holding([Held(lease)]):
        beating.start([])
        beating.stop()
        wait_until(
            lambda: StageRun.objects.get(id=lease.run_id).state == RunState.READY,
            "it is handed back",
        )

        with pytest.raises(LeaseLostError):
            leases.finish(lease, lambda document: True, [])


@pytest.mark.django_db
def test_what_is_held_is_no_orphan() -> None:
    presence = Presence()
    lease = claimed_by(presence)

    assert [run.id for run in orphans.find(presence.id, held=set())] == [lease.run_id]
    assert orphans.find(presence.id, held={lease.token}) == []
    assert orphans.find(uuid4(), held=set()) == []


@pytest.mark.django_db
def test_a_process_that_drains_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    presence = Presence()
    monkeypatch.setattr(turns, "presence", presence)
    document = make_document()
    accept(document.batch, [document.id])

    presence.drain()

    bells = turns.Bells(ring=lambda stage: None, ring_quarantine=lambda: None)
    assert turns.work_on(StageName.VERIFY, bells) == 0
    assert StageRun.objects.get(stage="verify").state == RunState.READY
