"""Enrich keeps what a document mentions as long as the text it was found in, and no longer."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from django.test import override_settings

from documents.errors import LeaseLostError, SluiceError, UnsupportedError
from documents.models import Batch, Document
from documents.services import deletion
from documents.services.reprocessing import reprocess_one
from documents.services.uploads import Declaration, register
from processing import generations
from processing.models import Entity, PageText, StageName
from processing.search import search
from processing.selectors import entities_of
from processing.stage import Held, Lease, Write
from processing.stages import enrich
from tests.factories import make_batch, make_workspace
from tests.processing.lifecycle import fresh, learn, read, ready
from tests.processing.mentioning import mention
from tests.processing.search_library import paths

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedding")]
CONTENT = b"The gate opens at dawn."
TEXT = "On 12. Mai 2024 write to ada@example.org. The lantern was lit."


@pytest.fixture
def document(batch: Batch) -> Document:
    return ready(batch, CONTENT, TEXT)


def held(document: Document, *, crashes: int = 0) -> Held:
    """Return a lease as a worker holds it; nothing here asks the rows for it."""
    return Held(
        Lease(
            run_id=0,
            document_id=document.id,
            workspace_id=document.workspace_id,
            generation=document.generation,
            stage=StageName.EXTRACT,
            attempt=1,
            max_attempts=1,
            crashes=crashes,
            token=uuid4(),
        )
    )


def found(document: Document) -> list[tuple[str, str]]:
    return list(entities_of(fresh(document)).order_by("kind").values_list("kind", "value"))


def enriched(document: Document) -> Write:
    return enrich.run(document, held(document))


def test_what_the_text_mentions_is_kept_with_its_places(document: Document) -> None:
    write = enriched(document)

    assert write(document)

    assert found(document) == [("date", "2024-05-12"), ("email", "ada@example.org")]
    assert entities_of(document).get(kind="date").positions == [[1, 3, "12. Mai 2024"]]


def test_it_may_run_twice_and_writes_once(document: Document) -> None:
    for _ in range(2):
        enriched(document)(document)

    assert Entity.objects.count() == 2


def test_a_result_that_nobody_wants_is_not_awaited(document: Document) -> None:
    lost = held(document)
    lost.lose(LeaseLostError("The document was cancelled."))

    with pytest.raises(SluiceError):
        enrich.run(document, lost)


def test_a_model_that_is_missing_is_named_and_not_tried_again(document: Document) -> None:
    with override_settings(ENTITY_MODEL=["xx_none"]), pytest.raises(UnsupportedError, match="xx_n"):
        enriched(document)


def test_a_text_is_looked_at_as_far_as_the_limit(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrich, "MAX_CHARACTERS", 20)
    monkeypatch.setattr(enrich, "PAGES_AT_ONCE", 1)
    own = {"workspace_id": document.workspace_id, "document_id": document.id}
    PageText.objects.create(**own, number=2, text="late@example.org")

    enriched(document)(document)

    assert found(document) == [("date", "2024-05-12")]


def test_read_anew_it_mentions_the_old_until_the_new_is_live(document: Document, user: Any) -> None:
    mention(document, "email:ada@example.org")
    reprocess_one(document, user)
    read(document, "Nothing but bob@example.org.")
    again = fresh(document)

    mention(again, "email:bob@example.org")
    before = found(document)
    learn(again)

    assert before == [("email", "ada@example.org")]
    assert found(document) == [("email", "bob@example.org")]


def test_pruning_takes_the_entities_of_replaced_readings(document: Document, user: Any) -> None:
    mention(document, "email:ada@example.org")
    reprocess_one(document, user)
    read(document, "Nothing but bob@example.org.")
    again = fresh(document)
    mention(again, "email:bob@example.org")
    learn(again)

    while generations.prune():
        pass

    assert list(Entity.objects.values_list("generation", "value")) == [(2, "bob@example.org")]


def test_deleted_with_its_document(document: Document, user: Any) -> None:
    mention(document, "email:ada@example.org")

    deletion.delete(document, user)

    assert not Entity.objects.exists()


def test_handed_on_to_the_duplicate_that_takes_the_place(document: Document, user: Any) -> None:
    mention(document, "email:ada@example.org")
    batch = make_batch(document.workspace)
    (upload,) = register(
        batch, [Declaration("b.txt", "b.txt", document.size, document.sha256)]
    ).uploads

    deletion.delete(document, user)

    assert found(upload.document) == [("email", "ada@example.org")]
    hits = search(user, "", mode="keyword", mentioning=["email:ada@example.org"])
    assert paths(hits) == ["b.txt"]


def test_a_row_cannot_name_another_workspaces_document(document: Document) -> None:
    mention(document, "email:ada@example.org")

    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")

    with pytest.raises(IntegrityError, match="same_workspace"):
        Entity.objects.update(workspace=make_workspace())
