"""However often work is rung for, told or tried again, it is done once."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from documents.errors import CorruptError, CrashedError, LeaseLostError, StorageError
from documents.models import Batch, Document, Event
from documents.states import Status
from processing import leases, tasks
from processing.models import Chunk, IngestJob, RunState, StageAttempt, StageName, StageRun
from processing.pipeline import OF_ALL, following
from tests.chaos import racing
from tests.chaos.racing import (
    InThread,
    Places,
    Work,
    at_once,
    claim,
    claim_again,
    everything,
    make_ready,
    make_work,
    reap,
    wait_until_blocked,
    wipe,
    write_for,
)
from tests.chaos.trials import Trials
from tests.factories import make_batch, make_stored, make_user

places = racing.places
cheap_embedder = racing.cheap_embedder
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("cheap_embedder"),
    # For hundreds of trials; whoever waits in one of them has a deadline of its own.
    pytest.mark.timeout(1800),
]
ONCE = "A document is embedded exactly once in effect"
ONE_JOB = "However often an upload is completed, it has one job and one answer"
RINGS = 8


def told(document_id: UUID, to: Status) -> int:
    """Return how often the move of a document was told."""
    return Event.objects.filter(
        kind="documents", payload__to=to, payload__documents__contains=str(document_id)
    ).count()


@pytest.mark.promise("R5", ONCE, fault="8 rings a document, 8 threads", trials=(5, 40))
def test_eight_rings_for_each_document_embed_it_once(trials: Trials) -> None:
    for trial in trials:
        wipe()
        documents = make_ready(StageName.EMBED, trial.random.randint(4, 12))

        def answer(n: int = len(documents)) -> None:
            for _ in range(n):
                tasks.ACTORS[StageName.EMBED]()

        at_once(*[answer] * RINGS)

        for document in documents:
            assert_embedded_once(document)
        assert StageAttempt.objects.count() == len(documents)


def assert_embedded_once(document: Document) -> None:
    document.refresh_from_db()
    assert document.status == Status.READY
    attempts = StageAttempt.objects.filter(run__document=document)
    assert [attempt.outcome for attempt in attempts] == ["ok"]
    chunks = Chunk.objects.filter(document=document).order_by("ordinal")
    assert [chunk.ordinal for chunk in chunks] == [0, 1, 2]
    assert all(chunk.model and chunk.embedding is not None for chunk in chunks)
    assert told(document.id, Status.READY) == 1


@pytest.mark.promise("R5", ONCE, fault="a holder that slept past its lease", trials=(5, 40))
def test_a_holder_that_slept_past_its_lease_changes_nothing(trials: Trials) -> None:
    for trial in trials:
        wipe()
        sleeper = make_work(StageName.EMBED)
        sleeper.expire()
        assert reap() == 1
        acts = trial.random.sample(zombie_acts(sleeper), 6)

        assert_without_effect(acts)
        another = claim_again(sleeper)
        assert_without_effect(acts)
        another.finish()
        assert_without_effect(acts)

        assert leases.still_held([sleeper.lease]) == set()
        outcomes = StageAttempt.objects.order_by("n").values_list("n", "outcome")
        assert list(outcomes) == [(1, "crashed"), (2, "ok")]
        assert told(sleeper.lease.document_id, Status.READY) == 1


def zombie_acts(work: Work) -> list[Callable[[], None]]:
    """Return everything that a holder may do to its run."""
    lease = work.lease
    return [
        work.finish,
        lambda: leases.fail(lease, StorageError("Away.")),
        lambda: leases.fail(lease, CorruptError("Bad.")),
        lambda: leases.fail(lease, CrashedError("It crashed.")),
        lambda: leases.hand_back(lease),
        lambda: leases.beat([lease]),
    ]


def assert_without_effect(acts: list[Callable[[], None]]) -> None:
    before = everything()
    for act in acts:
        # Some are told that the run is not theirs any more; nobody is let in.
        with suppress(LeaseLostError):
            act()
        assert everything() == before


LAST = (StageName.EMBED, StageName.PREVIEW, StageName.ENRICH)


@pytest.mark.promise(
    "R5",
    "A document ends exactly once",
    fault="its last three stages end at once, optional ones in vain",
    trials=(10, 100),
)
def test_stages_that_end_at_once_end_the_document_once(trials: Trials) -> None:
    for trial in trials:
        wipe()
        embedding, *optional = last_stages()
        in_vain = [one for one in optional if trial.random.random() < 1 / 3]
        ends: list[Callable[[], None]] = [
            partial(leases.fail, one.lease, CorruptError("Bad.")) if one in in_vain else one.finish
            for one in (embedding, *optional)
        ]

        at_once(*trial.random.sample(ends, len(ends)))

        end = Status.PARTIAL if in_vain else Status.READY
        assert embedding.document.status == end
        assert told(embedding.lease.document_id, end) == 1
        assert not StageRun.objects.filter(state=RunState.LEASED).exists()


def last_stages() -> list[Work]:
    """Return the claimed runs of one document that has been read."""
    (document,) = make_ready(StageName.EMBED, 1)
    StageRun.objects.filter(document=document, stage__in=LAST).update(state=RunState.READY)
    claimed = [lease for stage in LAST for lease in claim(stage)]
    return [Work(lease, write_for(lease)) for lease in claimed]


# What work on a document changes in what is said of it; all else is the same for ever.
PROGRESS = {"status", "stages", "processed_at", "embedded_at", "pages", "content_type", "error"}
PROGRESS |= {"notice", "thumbnail"}
COMPLETES = 50


def complete(user: User, batch: Batch, ids: list[str]) -> tuple[int, dict[str, Any]]:
    client = APIClient()
    client.force_authenticate(user)
    answer = client.post(
        f"/api/v1/batches/{batch.id}/complete",
        {"documents": [{"id": document_id} for document_id in ids]},
        format="json",
    )
    return answer.status_code, answer.json()


def without_progress(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in document.items() if name not in PROGRESS}
        for document in body["documents"]
    ]


def arrived(n: int) -> tuple[User, Batch, list[str]]:
    """Return somebody with documents whose bytes have arrived and nobody was told."""
    wipe()
    user = make_user()
    batch = make_batch(user.memberships.get().workspace)
    documents = [
        make_stored(batch, f"Document {at} of {batch.id}".encode(), path=f"{at}.txt")
        for at in range(n)
    ]
    return user, batch, [str(document.id) for document in documents]


def work_through(ids: list[str]) -> None:
    """Finish every stage, with what it would write where that matters here."""
    for stage in OF_ALL:
        for lease in claim(stage.name, limit=len(ids)):
            leases.finish(lease, write_for(lease), following(stage.name))
    assert set(Document.objects.values_list("status", flat=True)) == {Status.READY}


def assert_one_job_each(ids: list[str]) -> None:
    jobs = IngestJob.objects.values_list("document_id", flat=True)
    assert sorted(map(str, jobs)) == sorted(ids)
    assert StageRun.objects.count() == len(ids) * len(OF_ALL)
    assert [told(UUID(document_id), Status.UPLOADED) for document_id in ids] == [1] * len(ids)


@pytest.mark.promise("R7", ONE_JOB, fault="50 completes at once, and again", trials=(2, 10))
def test_fifty_completes_at_once_make_one_job_and_one_answer(trials: Trials) -> None:
    for trial in trials:
        user, batch, ids = arrived(trial.random.randint(1, 5))
        call = partial(complete, user, batch, ids)

        answers = at_once(*[call] * COMPLETES)

        status, first = answers[0]
        assert status == 200
        assert [document["id"] for document in first["documents"]] == ids
        assert first["errors"] == []
        assert answers == [(200, first)] * COMPLETES
        assert_one_job_each(ids)

        work_through(ids)
        again = at_once(*[call] * COMPLETES)

        assert again == [again[0]] * COMPLETES
        assert again[0][0] == 200
        assert without_progress(again[0][1]) == without_progress(first)
        assert_one_job_each(ids)
        runs = StageRun.objects.exclude(state=RunState.DONE)
        assert not runs.exists()


@pytest.mark.promise("R7", ONE_JOB, fault="a complete before another's commit", trials=(4, 30))
def test_a_complete_during_another_answers_the_same(trials: Trials, places: Places) -> None:
    for trial in trials:
        user, batch, ids = arrived(trial.random.randint(1, 5))
        gate = places.gate("complete.before_commit")

        first = InThread(partial(complete, user, batch, ids))
        gate.wait_until_reached()
        # In any order: rows are locked in one.
        other_way = trial.random.sample(ids, len(ids))
        second = InThread(partial(complete, user, batch, other_way))
        wait_until_blocked(second)
        gate.open()

        assert first.finish() == second.finish()
        assert first.finish()[0] == 200
        assert_one_job_each(ids)
