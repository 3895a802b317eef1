"""A turn settles everything it took: finished, failed or handed back, whatever breaks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import redis
from django.db import connection

from documents.errors import CrashedError, PermanentError, ProviderRefusedError, StorageError
from documents.models import Document
from documents.services.arrivals import accept
from processing import tasks, turns
from processing.conductor import Duty
from processing.models import Chunk, RunState, StageAttempt, StageName, StageRun
from processing.pipeline import get_stage
from processing.presence import presence
from processing.stage import Held, Lease, Result, Stage
from processing.stages import embed
from tests.factories import make_batch, make_document

BELLS = turns.Bells(ring=lambda stage: None, ring_quarantine=lambda: None)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have verify do something else for one test."""

    def install(run: Any) -> Stage:
        stage = replace(get_stage(StageName.VERIFY), run=run)
        monkeypatch.setattr(turns, "get_stage", lambda name: stage)
        return stage

    return install


@pytest.fixture
def document() -> Document:
    document = make_document()
    accept(document.batch, [document.id])
    return document


@pytest.fixture
def stopping() -> Iterator[None]:
    yield
    presence.stopping = False


def the_run() -> StageRun:
    return StageRun.objects.get(stage=StageName.VERIFY)


@pytest.mark.django_db
def test_a_crash_because_the_worker_ends_is_no_crash(
    works: Any, document: Document, stopping: None
) -> None:
    def run(work: Sequence[Held]) -> Iterator[tuple[Held, Result]]:
        presence.stop()
        yield work[0], CrashedError("The sandbox is closed.")

    works(run)

    turns.work_on(StageName.VERIFY, BELLS)

    run_ = the_run()
    assert (run_.state, run_.attempt, run_.crashes) == (RunState.READY, 0, 0)
    assert StageAttempt.objects.get().outcome == StageAttempt.Outcome.RETURNED


@pytest.mark.django_db
def test_what_is_finished_while_the_worker_ends_is_kept(
    works: Any, document: Document, stopping: None
) -> None:
    def run(work: Sequence[Held]) -> Iterator[tuple[Held, Result]]:
        presence.stop()
        yield work[0], lambda document: True

    works(run)

    turns.work_on(StageName.VERIFY, BELLS)

    assert the_run().state == RunState.DONE


@pytest.mark.django_db
def test_an_unforeseen_error_is_told_in_our_words_and_tried_again(
    works: Any, document: Document
) -> None:
    def run(work: Sequence[Held]) -> Iterator[tuple[Held, Result]]:
        def write(document: Document) -> bool:
            raise KeyError("secret")

        yield work[0], write

    works(run)

    turns.work_on(StageName.VERIFY, BELLS)

    run_ = the_run()
    assert (run_.state, run_.attempt, run_.error_code) == (RunState.READY, 1, "internal")
    assert "secret" not in run_.error_text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["stage", "write"])
def test_a_broken_connection_gives_the_work_back_uncharged(
    works: Any, document: Document, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_over = iter([False, True])
    monkeypatch.setattr(presence, "stopping", False)

    def break_connection(*_: Any) -> bool:
        presence.stopping = next(turn_over) is False
        with connection.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(pg_backend_pid())")
        return True

    def run(work: Sequence[Held]) -> Iterator[tuple[Held, Result]]:
        if where == "stage":
            break_connection()
        yield work[0], break_connection

    works(run)

    turns.work_on(StageName.VERIFY, BELLS)

    run_ = the_run()
    assert (run_.state, run_.attempt, run_.crashes) == (RunState.READY, 0, 0)


@pytest.mark.django_db
def test_without_redis_the_quarantine_is_worked_through_too(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "work_on", lambda stage, bells: 0)
    monkeypatch.setattr(turns, "work_in_quarantine", lambda bells: 1)

    assert tasks.work_through() == 1


def test_after_a_lost_ring_nobody_waits_for_redis_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def away(actor: Any) -> Any:
        tries.append(actor)
        raise redis.TimeoutError

    monkeypatch.setattr(tasks, "_redis", away)
    monkeypatch.setattr(tasks._silence, "until", 0.0)

    for _ in range(3):
        tasks.ring(StageName.VERIFY)

    assert len(tries) == 1


def test_a_duty_that_fails_leaves_the_others_and_comes_again() -> None:
    runs = []

    def fail() -> None:
        runs.append(1)
        raise StorageError

    duty = Duty("sweep", 10.0, fail)
    duty.run_if_due(1.0)
    duty.run_if_due(2.0)
    duty.run_if_due(20.0)

    assert len(runs) == 2


class Refusing:
    """An embedder that refuses one text, and with it the call that holds it."""

    model = "refusing"
    dimensions = 2

    def embed(self, texts: Sequence[str]) -> Any:
        if any("poison" in text for text in texts):
            raise ProviderRefusedError("The text was refused.")
        return np.ones((len(texts), 2), np.float32)


@pytest.mark.django_db
def test_a_refused_document_does_not_fail_those_that_shared_its_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embed, "get_embedder", Refusing)
    batch = make_batch()
    held = []
    for text in ("good", "poison", "fine"):
        document = make_document(batch)
        Chunk.objects.create(
            workspace=batch.workspace,
            document=document,
            ordinal=0,
            page=1,
            start=0,
            end=1,
            text=text,
        )
        held.append(Held(lease_of(document)))

    results = dict(embed.run(held))

    assert [isinstance(results[one], PermanentError) for one in held] == [False, True, False]


def lease_of(document: Document) -> Lease:
    return Lease(
        run_id=0,
        document_id=document.id,
        workspace_id=document.workspace_id,
        generation=1,
        stage=StageName.EMBED,
        attempt=1,
        max_attempts=6,
        crashes=0,
        token=uuid4(),
    )
