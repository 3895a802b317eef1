"""People who change their minds all the time: R19."""

import pytest

from tests.chaos.scene import Scene
from tests.chaos.trials import Trials

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

TURNS = 6


@pytest.mark.promise(
    "R19",
    "The progress is what the documents are: drift 0 (and at the end of every other trial)",
    fault="cancel and resume of batch and documents at random, workers and conductors killed",
    trials=(1, 4),
)
def test_the_progress_never_drifts(trials: Trials, scene: Scene) -> None:
    for trial in trials:
        drop = scene.drop(trial, window=10)
        oracle = scene.watch(drop)
        for _ in range(TURNS):
            drop.wait_acknowledged(trial.random.randrange(1, scene.n_documents))
            batch = f"batches/{drop.batch}"
            match trial.random.choice(("batch", "documents", "worker", "conductor")):
                case "batch":
                    scene.insist("POST", f"{batch}/cancel")
                    scene.insist("POST", f"{batch}/resume")
                case "documents":
                    known = list(drop.acknowledged.values())
                    for document in trial.random.sample(known, min(3, len(known))):
                        scene.insist("POST", f"documents/{document}/cancel")
                    scene.insist("POST", f"{batch}/resume")
                case kind:
                    scene.installation.kill(trial.random.choice(scene.installation.names(kind)))
        scene.settle(oracle)
