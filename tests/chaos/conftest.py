"""An installation for all trials that leave it whole, and the people who use it."""

import os
from collections.abc import Iterator

import pytest

from documents.storage.local import LocalStorage
from tests.chaos.installation import Installation
from tests.chaos.scene import Scene, signed_in
from tests.conftest import new_home
from tests.documents.storage_s3 import CephBackend
from tests.processing.image_models import make_image_model

# Needs a store that can be put behind a proxy; pytest says at its end when there was none.
collect_ignore = [] if os.environ.get(CephBackend.variable) else ["test_storage_storm.py"]


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """A Sluice that tests may strike, as long as it comes up again by itself."""
    home = new_home()
    # Only images are looked at, and nothing else drops any.
    model = make_image_model(home.parent / "colours")
    installed = Installation(home, IMAGE_MODEL_PATH=str(model))
    try:
        installed.start()
        yield installed
    finally:
        installed.stop()


@pytest.fixture
def scene(installation: Installation, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The installation, whole and unarmed, and a user of this test's own."""
    storage = LocalStorage(installation.home / "storage")
    with signed_in(installation, storage, request) as scene:
        yield scene


@pytest.fixture
def outage_seconds(request: pytest.FixtureRequest) -> float:
    """How long a service stays away: a minute, or just long enough to be missed."""
    return 60.0 if request.config.getoption("--chaos") == "full" else 4.0
