"""Real services for the tests that touch them, and whole stacks for those that break them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter
from django.db import connections
from pytest_django import Settings
from rest_framework.test import APIClient

from config import local_services
from documents.models import Batch
from tests.documents.storage_s3 import missing_stores
from tests.factories import make_batch, make_user
from tests.plugin import HOME, NETGUARD_LOG
from tests.stack import Stack, running


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print one line instead of a hundred skipped tests of storage."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    of_storage = any("test_storage_contract" in getattr(each, "nodeid", "") for each in reports)
    missing = missing_stores() if of_storage else []
    if missing:
        terminalreporter.write_line(
            f"The storage contract ran without the S3 stores of {' and '.join(missing)}."
        )


@pytest.fixture(scope="session", autouse=True)
def no_outside_connection() -> Iterator[None]:
    """Fail the session when anything tried to leave the machine."""
    yield

    attempts = NETGUARD_LOG.read_text() if NETGUARD_LOG.exists() else ""
    assert not attempts, f"Connections to the outside were tried:\n{attempts}"


@pytest.fixture(autouse=True)
def quick_settings(settings: Settings) -> None:
    """Spare the tests what costs time and is not what they look at."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Pages can be rendered without collecting static files first.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture(scope="session")
def services() -> Iterator[local_services.Services]:
    """A real PostgreSQL and Redis for this session, or those the environment names."""
    running = local_services.services_of(
        HOME,
        database_url=os.environ.get("DATABASE_URL", ""),
        redis_url=os.environ.get("REDIS_URL", ""),
        # Nothing here must survive a power cut.
        postgres_options={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
    )
    try:
        running.launch()
        running.wait_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(services: local_services.Services) -> None:
    """Have the services up before pytest-django makes the test database.

    A test stands in its transaction for as long as a busy machine makes it.
    """
    options = connections.settings["default"]["OPTIONS"]
    options["options"] = "-c idle_in_transaction_session_timeout=0"


@pytest.fixture
def home() -> Path:
    """A short SLUICE_HOME of its own; root's PostgreSQL cannot enter pytest's tmp_path."""
    return new_home()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One running Sluice for all tests that leave it as they found it."""
    with running(new_home()) as stack:
        yield stack


@pytest.fixture
def own_stack(home: Path) -> Iterator[Stack]:
    """A running Sluice for one test, which may kill what it likes."""
    with running(home) as stack:
        yield stack


def new_home() -> Path:
    return Path(tempfile.mkdtemp(dir=HOME)) / "home"


@pytest.fixture
def user(db: None) -> Any:
    """Somebody with a workspace of their own."""
    return make_user()


@pytest.fixture
def batch(user: Any) -> Batch:
    """An empty batch of theirs."""
    return make_batch(user.memberships.get().workspace, created_by=user)


@pytest.fixture
def api(user: Any) -> APIClient:
    """A client that calls the API as them."""
    client = APIClient()
    client.force_authenticate(user)
    return client
