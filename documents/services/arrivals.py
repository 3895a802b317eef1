"""Take note that bytes arrived: told by the client, or found by the sweep."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from documents import clock, faults, signals
from documents.errors import NotFoundError, ObjectMissingError, SizeMismatchError
from documents.models import Batch, Document
from documents.services import multipart, quota
from documents.services.moves import move
from documents.services.multipart import GivenPart
from documents.services.uploads import Refusal, check_window, incoming_key, leave_parts
from documents.states import Status
from documents.storage import get_storage

SWEEP_WINDOW = 200


def complete(
    batch: Batch,
    document_ids: Sequence[UUID],
    parts: Mapping[UUID, Sequence[GivenPart]] | None = None,
) -> tuple[list[Document], list[Refusal]]:
    """Accept the documents whose objects are there; their work exists when this returns.

    What was sent in parts is put together first; `parts` that are given must be those that
    are there. Storage is asked before the transaction. A document that is not awaiting
    any more answers with what it is, so calls may be repeated, reordered and
    run side by side.
    """
    check_window(len(document_ids))
    faults.point("complete.before_look")
    found = {
        document.id: document
        for document in Document.objects.filter(batch=batch, id__in=document_ids)
    }
    refusals: list[Refusal] = []
    arrived: dict[UUID, str] = {}
    for document_id in document_ids:
        if document_id not in found:
            unknown = NotFoundError("There is no such document in this batch.")
            refusals.append(Refusal(unknown, id=str(document_id)))
            continue
        document = found[document_id]
        try:
            if document.status == Status.AWAITING:
                multipart.assemble(document, (parts or {}).get(document_id, ()))
                _check_object(document)
                arrived[document_id] = document.incoming_key
        except (ObjectMissingError, SizeMismatchError) as error:
            refusals.append(
                Refusal(error, document.client_key, path=document.path, id=str(document_id))
            )
    accepted = accept(batch, list(arrived), keys=list(arrived.values()))
    faults.point("complete.after_commit")
    for refusal in refusals:
        found.pop(UUID(refusal.id), None)
    return _as_they_are(found, accepted), refusals


def _as_they_are(found: Mapping[UUID, Document], accepted: Iterable[Document]) -> list[Document]:
    """Return the documents found, by path; those that somebody else moved are read again."""
    known = {document.id: document for document in accepted}
    others = [document_id for document_id in found if document_id not in known]
    if others:
        known |= Document.objects.in_bulk(others)
    return sorted(known.values(), key=lambda document: (document.path, document.id))


@transaction.atomic
def accept(
    batch: Batch, document_ids: Sequence[UUID], *, keys: Sequence[str] | None = None
) -> list[Document]:
    """Move documents to uploaded and have their work set up, in one transaction.

    With `keys`, only those that still wait under one of them: there the bytes were seen.
    Return those that moved, as they are now.
    """
    if not document_ids:
        return []
    # Only those: one that was cancelled while we waited for its lock stays so, although a
    # cancelled one may be moved to uploaded when it is resumed.
    awaited = Document.objects.filter(batch=batch, id__in=document_ids, status=Status.AWAITING)
    if keys is not None:
        awaited = awaited.filter(incoming_key__in=keys)
    ids = move(awaited, Status.UPLOADED, uploaded_at=Now())
    documents = list(Document.objects.filter(id__in=ids).select_related("batch")) if ids else []
    if documents:
        signals.documents_uploaded.send(Document, documents=documents)
    faults.point("complete.before_commit")
    return documents


def sweep() -> tuple[int, int]:
    """Look for uploads nobody completed; return how many were found and how many expired.

    A document idle for UPLOAD_IDLE_SECONDS whose object, or every part of it, is there is
    accepted; one past its expiry without an object gives its quota back. One that is only
    listed cannot have arrived.
    """
    now = clock.now()
    idle = (
        Document.objects.filter(
            Q(may_arrive=True) | Q(upload_expires_at__lt=now),
            status=Status.AWAITING,
            created_at__lt=now - timedelta(seconds=settings.UPLOAD_IDLE_SECONDS),
        )
        .select_related("batch")
        .order_by("created_at")
    )
    accepted = expired = 0
    # Oldest first would let a thousand abandoned documents hide a fresh arrival: take all, in
    # windows, which a full day of uploads keeps bounded.
    for document in idle.iterator(chunk_size=SWEEP_WINDOW):
        try:
            multipart.assemble(document)
            _check_object(document)
        except (ObjectMissingError, SizeMismatchError):
            if document.upload_expires_at and document.upload_expires_at < now:
                expired += expire(document)
                faults.point("expire.after_commit")
            continue
        faults.point("sweep.before_accept")
        accept(document.batch, [document.id], keys=[document.incoming_key])
        accepted += 1
    return accepted, expired


@transaction.atomic
def expire(document: Document) -> int:
    """Give up waiting for one document; return 1 if it was still awaited."""
    leave_parts(Document.objects.filter(id=document.id))
    ids = move(Document.objects.filter(id=document.id), Status.EXPIRED)
    quota.release(ids)
    faults.point("expire.before_commit")
    return len(ids)


def _check_object(document: Document) -> None:
    """Raise unless the object is there at its declared size."""
    stat = get_storage().stat(document.incoming_key)
    if stat is None:
        raise ObjectMissingError(f"The bytes of {document.path} have not arrived yet.")
    if stat.size != document.size:
        # A fresh key, because an object that is there already is never written again.
        Document.objects.filter(id=document.id, status=Status.AWAITING).update(
            incoming_key=incoming_key(document.id), multipart_id=""
        )
        raise SizeMismatchError(
            f"{document.path} arrived with {stat.size} bytes; {document.size} were declared."
        )
