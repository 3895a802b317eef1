"""Nothing of Sluice speaks to anybody beyond this machine: R22."""

import httpx
import psutil
import pytest

from tests.chaos.scene import Scene
from tests.chaos.trials import Trials
from tests.netguard.sitecustomize import LOG_VARIABLE
from tests.plugin import NETGUARD_LOG

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]


@pytest.mark.promise(
    "R22",
    "Nothing speaks to the outside",
    fault="every connection beyond this machine refused and recorded, in every process",
    trials=(1, 2),
)
def test_nothing_tries_to_leave_the_machine(trials: Trials, scene: Scene) -> None:
    for trial in trials:
        drop = scene.drop(trial)
        scene.settle(scene.watch(drop))
        found = httpx.get(
            f"{scene.installation.url}/api/v1/search",
            params={"q": "gate"},
            headers={"Authorization": f"Bearer {scene.token}"},
            timeout=30,
        )
        assert found.json()["hits"]
        for name, pid in scene.installation.pids().items():
            # A guard that is not there would see nothing, and call it peace.
            assert LOG_VARIABLE in psutil.Process(pid).environ(), f"{name} is not guarded"
        attempts = NETGUARD_LOG.read_text() if NETGUARD_LOG.exists() else ""
        assert not attempts, attempts
