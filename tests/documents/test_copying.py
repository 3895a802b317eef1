"""Rows that are copied in are what bulk_create would have made of them."""

import pytest
from django.db import IntegrityError, transaction

from documents.copying import copy_in
from documents.models import Document
from tests.factories import make_batch, make_workspace

pytestmark = pytest.mark.django_db
ODD = 'tab\tline\nback\\slash \\N "quoted", \\. ümläut 日本'


def rows(n: int) -> list[Document]:
    batch = make_batch(make_workspace())
    return [
        Document(
            workspace_id=batch.workspace_id,
            batch_id=batch.id,
            client_key=f"{number} {ODD}",
            path=f"{ODD}/{number}.txt",
            name=f"{number}.txt",
            size=2**40 + number,
            metadata={"odd": ODD, "nested": {"none": None, "list": [1, 2.5, True]}},
        )
        for number in range(n)
    ]


def test_every_column_arrives_as_it_was() -> None:
    given = rows(3)

    copy_in(given)

    for row in given:
        found = Document.objects.get(id=row.id)
        for field in Document._meta.concrete_fields:
            assert getattr(found, field.attname) == getattr(row, field.attname), field.name


def test_a_row_that_breaks_a_rule_takes_all_with_it() -> None:
    given = rows(3)
    given[2].client_key = given[0].client_key

    with pytest.raises(IntegrityError), transaction.atomic():
        copy_in(given)

    assert not Document.objects.filter(id__in=[row.id for row in given]).exists()


def test_copied_rows_are_known_to_be_stored() -> None:
    row = rows(1)[0]
    copy_in([row])

    row.name = "another.txt"
    row.save(force_update=True)

    assert Document.objects.get(id=row.id).name == "another.txt"
