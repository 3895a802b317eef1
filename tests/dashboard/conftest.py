"""What several tests of pages start from."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from documents.models import Batch, Document
from documents.states import Status
from processing.models import PageText
from processing.numbering import number_events
from tests.factories import make_batch, make_document, make_user


@pytest.fixture
def user() -> User:
    return make_user("ada")


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def batch(user: User) -> Batch:
    return make_batch(user.memberships.get().workspace, name="Reports", created_by=user)


@pytest.fixture
def document(batch: Batch) -> Document:
    document = make_document(
        batch, path="Reports/2024/gates.txt", status=Status.READY, processed_at=timezone.now()
    )
    for number in range(1, 26):
        PageText.objects.create(
            workspace=batch.workspace,
            document=document,
            number=number,
            text=f"Page {number} tells of <otters>.",
        )
    number_events()
    return document
