"""Take up stored documents again that had come to nothing, because their bytes are wanted."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from documents import signals
from documents.models import Document
from documents.states import Status


@transaction.atomic
def revive(document_ids: Iterable[UUID]) -> None:
    """Have cancelled and failed originals processed again; the others stay as they are.

    A duplicate is found through its original: dropping the same bytes again
    would otherwise lead to nothing, without a word.
    """
    stopped = list(
        Document.objects.filter(
            id__in=list(document_ids), status__in=(Status.CANCELLED, Status.FAILED)
        )
        .order_by("id")
        .select_for_update(of=("self",), no_key=True)
    )
    for status, signal in (
        (Status.CANCELLED, signals.documents_resumed),
        (Status.FAILED, signals.documents_retried),
    ):
        documents = [document for document in stopped if document.status == status]
        if documents:
            signal.send(Document, documents=documents)
