"""What a document's page says above its text."""

import pytest
from django.test import Client
from django.utils import timezone

from documents.models import Document
from documents.states import Status
from tests.factories import make_batch, make_document, make_user

pytestmark = pytest.mark.django_db


def half_done(client: Client, *, generation: int) -> Document:
    """Return a document that is found as its first reading, and whose last stage failed."""
    user = make_user()
    client.force_login(user)
    return make_document(
        make_batch(user.memberships.get().workspace),
        status=Status.PARTIAL,
        embedded_at=timezone.now(),
        generation=generation,
        live_generation=1,
        error_code="corrupt",
        error_detail="It is damaged.",
    )


@pytest.mark.parametrize(
    ("generation", "said"),
    [(1, "It is found all the same."), (2, "It is found as it was read before.")],
)
def test_what_failed_in_part_is_found_all_the_same_or_as_before(
    client: Client, generation: int, said: str
) -> None:
    document = half_done(client, generation=generation)

    page = client.get(f"/documents/{document.id}/").content.decode()

    assert "It is damaged." in page
    assert said in page
