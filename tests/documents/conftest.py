"""What several tests of documents start from; what cannot run without a store is left out."""

import pytest
from rest_framework.test import APIClient

from documents.models import Batch, Workspace
from tests.documents.storage_s3 import running_stores
from tests.factories import make_batch, make_user

# Nothing in there can run without a store.
collect_ignore = [] if running_stores() else ["test_storage_s3_stores.py", "test_bucket.py"]


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_authenticate(make_user())
    return client


@pytest.fixture
def batch(api: APIClient) -> Batch:
    return make_batch(Workspace.objects.get())
