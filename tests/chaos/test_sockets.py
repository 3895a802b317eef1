"""Pages that lose their connection, their frames and their place: R14."""

import pytest

from tests.chaos.listener import Listener
from tests.chaos.scene import Scene
from tests.chaos.trials import Trials

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

LOST_SHARE = 0.3


@pytest.mark.promise(
    "R14",
    "A page ends where the database is, and misses nothing",
    fault="3 of 10 frames lost, connections broken, old numbers, the leading conductor killed",
    trials=(1, 4),
)
def test_a_page_that_loses_frames_and_connections_misses_nothing(
    trials: Trials, scene: Scene
) -> None:
    for trial in trials:
        drop = scene.drop(trial, window=5)
        listener = Listener(
            scene.installation.url, scene.cookie, drop.batch, trial.random, loses=LOST_SHARE
        )
        oracle = scene.watch(drop, listener=listener)
        for at in range(5, scene.n_documents, 10):
            scene.wait_searchable(drop.batch, at)
            listener.forget(trial.random.randrange(listener.at + 1))
            if trial.random.random() < LOST_SHARE:
                leader = scene.installation.leader()
                if leader:
                    scene.installation.kill(leader)
        scene.settle(oracle)
        median, p95 = oracle.delays()
        trial.measured("median s from event to page", median)
        trial.measured("p95 s from event to page", p95)
