"""A stage that fails each time it is tried: R18."""

from itertools import pairwise
from typing import Any

import pytest

from tests.chaos import library
from tests.chaos.installation import LADDER
from tests.chaos.scene import Scene
from tests.chaos.trials import Trials
from tests.stack import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

MOST_ATTEMPTS = 5
JITTER = 0.1


@pytest.mark.promise(
    "R18",
    "What always fails is tried as often as allowed, as late as the ladder says, is then "
    "visible, and can be retried",
    fault="extract breaks each time for one document",
    trials=(1, 2),
)
def test_what_always_fails_ends_where_people_see_it(trials: Trials, scene: Scene) -> None:
    installation = scene.installation
    for trial in trials:
        name = f"{library.word_of(trial.random)}.txt"
        installation.poison("extract.before_read", name, "raise")
        drop = scene.drop_documents("Always fails", {name: f"This is {name}.".encode()})
        installation.execute(
            "update processing_stagerun r set max_attempts = %s from documents_document d "
            "where d.id = r.document_id and d.batch_id = %s",
            MOST_ATTEMPTS,
            drop.batch,
        )
        wait_until(lambda drop=drop: scene.counts(drop.batch) == {"failed": 1}, "it is dead")  # type: ignore[misc]

        attempts = attempts_of(scene, drop.batch)
        assert [n for n, _, _ in attempts] == list(range(1, MOST_ATTEMPTS + 1))
        waits = [
            (later - earlier).total_seconds()
            for (_, _, earlier), (_, later, _) in pairwise(attempts)
        ]
        assert all(
            wait >= step * (1 - JITTER) for wait, step in zip(waits, LADDER, strict=False)
        ), waits
        (document,) = drop.acknowledged.values()
        told = scene.call("GET", f"documents/{document}").json()
        assert (told["status"], told["error"]["kind"]) == ("failed", "internal")
        assert (told["error"]["stage"], told["error"]["retry_at"]) == ("extract", None)

        installation.disarm()
        scene.insist("POST", f"documents/{document}/retry")
        oracle = scene.watch(drop, listen=False)
        scene.settle(oracle)
        assert attempts_of(scene, drop.batch)[:MOST_ATTEMPTS] == attempts


def attempts_of(scene: Scene, batch: str) -> list[tuple[Any, ...]]:
    """Return number, start and end of each attempt to extract the one document of a batch."""
    return scene.installation.rows(
        "select a.n, a.started_at, a.ended_at from processing_stageattempt a "
        "join processing_stagerun r on r.id = a.run_id "
        "join documents_document d on d.id = r.document_id "
        "where d.batch_id = %s and r.stage = 'extract' order by a.n",
        batch,
    )
