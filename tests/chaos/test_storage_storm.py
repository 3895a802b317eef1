"""A store that refuses, hangs, breaks off, forgets and is away for long: R10."""

import os
import time
from collections.abc import Iterator

import pytest

from documents.storage.s3 import S3Storage
from documents.storage.s3_client import S3Options
from tests.chaos.faulty_storage import FaultyStorage, proxied
from tests.chaos.installation import Installation
from tests.chaos.scene import Scene, signed_in
from tests.chaos.trials import Trials
from tests.conftest import new_home
from tests.documents.storage_s3 import CephBackend, options_from

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

STORM: dict[str, float] = {
    "unavailable": 0.3,
    "timeout": 0.02,
    "reset": 0.03,
    # Of uploads alone, about a hundred a trial: at 0.03 one trial in thirty met none.
    "reset_request": 0.1,
    "reset_response": 0.03,
    "short_read": 0.1,
    "missing_head": 0.1,
    "old_head": 0.1,
}
# Each is refused a dozen times before it is through, and meets what is rare as well.
A_FEW = 20
LENGTHS = {"timeout_seconds": 3, "stale_seconds": 1}


@pytest.fixture(scope="module")
def store() -> S3Options:
    """A real S3 server, reached without the proxy by who looks at the end."""
    return options_from(os.environ[CephBackend.variable])


@pytest.fixture(scope="module")
def proxy(store: S3Options) -> Iterator[FaultyStorage]:
    with proxied(store.endpoint_url) as running:
        yield running


@pytest.fixture
def storm_scene(
    proxy: FaultyStorage, store: S3Options, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    """An installation that keeps its bytes behind the proxy."""
    installation = Installation(
        new_home(),
        STORAGE_BACKEND="s3",
        S3_ENDPOINT_URL=proxy.url,
        S3_BUCKET=store.bucket,
        S3_REGION=store.region,
        S3_ACCESS_KEY_ID=store.access_key_id,
        S3_SECRET_ACCESS_KEY=store.secret_access_key,
        S3_ADDRESSING_STYLE="path",
        S3_READ_SECONDS="2",
        # Enough attempts to outlast the outage, as the ladder of hours is in production.
        MAX_ATTEMPTS="300",
    )
    try:
        installation.start()
        with signed_in(installation, S3Storage(store), request) as scene:
            yield scene
    finally:
        proxy.set()
        installation.stop()


@pytest.mark.promise(
    "R10",
    "Storage in trouble: everything finishes",
    fault="30 % refused, time-outs, resets, bodies cut short, stale HEADs; then a long outage",
    trials=(1, 2),
)
def test_everything_outlasts_the_storm(
    trials: Trials,
    storm_scene: Scene,
    proxy: FaultyStorage,
    request: pytest.FixtureRequest,
) -> None:
    is_full = request.config.getoption("--chaos") == "full"
    for at, trial in enumerate(trials):
        # The long outage once: ten minutes are ten minutes.
        outage_seconds = 600.0 if is_full and at == 0 else 8.0
        proxy.set(**STORM, **LENGTHS)
        drop = storm_scene.drop(trial, 0 if is_full else A_FEW)
        oracle = storm_scene.watch(drop)
        drop.wait()
        proxy.set(outage="refused")
        time.sleep(outage_seconds)  # The outage itself, not a wait for something.
        proxy.set(**STORM, **LENGTHS)
        storm_scene.settle(oracle, seconds=600)
        proxy.set()
    met = proxy.counts()
    # An old HEAD can only be told of an object that was replaced and is asked for again.
    never = [name for name in STORM if not met.get(name) and name != "old_head"]
    assert not never, f"{never} never happened: {met}"
