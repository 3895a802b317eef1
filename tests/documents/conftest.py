"""What several tests of documents start from, and which stores they did not run on."""

import pytest
from _pytest.terminal import TerminalReporter
from rest_framework.test import APIClient

from documents.models import Batch, Workspace
from tests.documents.storage_s3 import missing_stores, running_stores
from tests.factories import make_batch, make_user

# Nothing in there can run without a store.
collect_ignore = [] if running_stores() else ["test_storage_s3_stores.py", "test_bucket.py"]


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print one line instead of a hundred skipped tests."""
    missing = missing_stores()
    if missing:
        terminalreporter.write_line(
            f"The storage contract ran without the S3 stores of {' and '.join(missing)}."
        )


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_authenticate(make_user())
    return client


@pytest.fixture
def batch(api: APIClient) -> Batch:
    return make_batch(Workspace.objects.get())
