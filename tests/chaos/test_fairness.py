"""One enormous import beside many small ones: R17."""

import json

import pytest

from tests.chaos.scene import Scene
from tests.chaos.trials import Trials
from tests.stack import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

SMALL_DOCUMENTS = 5
MOST_TIMES = 2.0
# A wait of seconds is measured in looks of a tenth: below this a ratio says nothing.
LEAST_SECONDS = 5.0
FILL = "from tests.chaos import whale; whale.main({batch!r}, {n})"
OPEN = "import json; from tests.chaos import whale; print(json.dumps(whale.open_workspaces({n})))"
SMALL = (
    "from documents.models import Batch; from tests.chaos import whale;"
    "[whale.fill(Batch.objects.select_related('workspace').get(id=one), {n}) for one in {batches}]"
)


@pytest.mark.promise(
    "R17",
    "A whale does not delay the small: their p95 wait is at most twice what it is alone",
    fault="a whale of 20,000 documents, then 50 workspaces with 5 each (few: 600, then 10)",
    trials=(1, 1),
)
def test_a_whale_does_not_delay_the_small(
    trials: Trials, scene: Scene, request: pytest.FixtureRequest
) -> None:
    is_full = request.config.getoption("--chaos") == "full"
    whale, workspaces = (20_000, 50) if is_full else (600, 10)
    for trial in trials:
        alone = p95_wait(scene, workspaces)
        batch = str(scene.insist("POST", "batches", {"name": "Whale"}).json()["id"])
        scene.installation.manage("shell", "--command", FILL.format(batch=batch, n=whale))
        assert scene.searchable(batch) < whale, "the whale was gone before the small came"
        beside = p95_wait(scene, workspaces)
        assert scene.searchable(batch) < whale, "the whale was gone before the small were done"
        trial.measured("p95 s alone", alone)
        trial.measured("p95 s beside the whale", beside)
        answer = scene.insist("POST", f"batches/{batch}/cancel")
        assert answer.status_code == 200
        assert beside <= MOST_TIMES * max(alone, LEAST_SECONDS)


def p95_wait(scene: Scene, n: int) -> float:
    """Have `n` workspaces bring a few documents each; return the p95 of the seconds to the end."""
    installation = scene.installation
    told = installation.manage("shell", "--command", OPEN.format(n=n))
    batches = json.loads(told.splitlines()[-1])
    command = SMALL.format(n=SMALL_DOCUMENTS, batches=batches)
    installation.manage("shell", "--command", command)
    wait_until(
        lambda: (
            not installation.rows(
                "select 1 from documents_document where batch_id = any(%s::uuid[]) "
                "and embedded_at is null limit 1",
                batches,
            )
        ),
        "the small are searchable",
        seconds=600,
    )
    waits = installation.rows(
        "select extract(epoch from embedded_at - uploaded_at) from documents_document "
        "where batch_id = any(%s::uuid[]) order by 1",
        batches,
    )
    assert len(waits) == n * SMALL_DOCUMENTS
    return float(waits[int(len(waits) * 0.95)][0])
