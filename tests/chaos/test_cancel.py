"""Cancelled in each state of each stage: R13."""

import time

import psutil
import pytest

from tests.chaos import library
from tests.chaos.scene import Scene
from tests.chaos.trials import Trials
from tests.stack import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

DEAD_SECONDS = 2.0
STAND_STILL = "sleep 3"
# Where the document is held while somebody cancels it.
PLACES = (
    "verify.before_promote",
    "child.before_task",
    "extract.before_read",
    "extract.before_commit",
    "embed.before_model",
    "embed.before_commit",
    "preview.before_store",
    "preview.before_commit",
    "enrich.before_commit",
)


@pytest.mark.promise(
    "R13",
    "Cancelled is cancelled: nothing is visible after the answer, the child is dead within 2 s, "
    "and it can be resumed",
    fault="cancel while awaited, and at a place of each stage",
    trials=(1, 2),
)
def test_cancelled_is_cancelled_wherever_it_stands(trials: Trials, scene: Scene) -> None:
    for trial in trials:
        for place in trial.random.sample(PLACES, len(PLACES)):
            word = library.word_of(trial.random)
            known = scene.installation.arm(place, STAND_STILL)
            drop = scene.drop_documents(place, {f"{word}.txt": f"The word is {word}.".encode()})
            document = next(iter(drop.acknowledged.values()))
            pid = scene.installation.wait_struck(place, known=known)

            answer = scene.insist("POST", f"documents/{document}/cancel")

            cancelled = time.monotonic()
            assert answer.status_code == 200, answer.text
            was_in_time = answer.json()["status"] == "cancelled"
            # What is found by then stays, also while something optional is still done for it.
            assert was_in_time or answer.json()["embedded_at"], answer.text
            if was_in_time:
                check_unseen(scene, word, document)
                if place.startswith("child"):
                    wait_until(lambda pid=pid: not psutil.pid_exists(pid), "the child is dead")  # type: ignore[misc]
                    seconds = time.monotonic() - cancelled
                    trial.measured("child dead after, s", seconds)
                    assert seconds <= DEAD_SECONDS
                check_unseen(scene, word, document)
                assert scene.counts(drop.batch) == {"cancelled": 1}
                scene.insist("POST", f"batches/{drop.batch}/resume")
            oracle = scene.watch(drop, listen=False)
            scene.settle(oracle)


def check_unseen(scene: Scene, word: str, document: str) -> None:
    """Neither search nor the pages tell anything of the document's text, nor show it."""
    for mode in ("keyword", "hybrid"):
        found = scene.call("GET", f"search?q={word}&mode={mode}").json()
        assert word not in str(found["hits"]), found
    assert scene.call("GET", f"documents/{document}/text").json() == {"pages": []}
    assert scene.call("GET", f"documents/{document}/entities").json()["results"] == []
    assert scene.call("GET", f"documents/{document}/thumbnail").status_code == 404
