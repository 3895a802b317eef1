"""Delete a document: its rows in one transaction, its bytes right after, and no trace of it."""

from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from documents import derived, events, faults, signals
from documents.errors import NotFoundError
from documents.models import AuditEntry, Document
from documents.selectors import User
from documents.services import disposal, quota
from documents.services.revival import revive
from documents.services.succession import heir_of, release_copies, succeed
from documents.states import Status


@transaction.atomic
def delete(document: Document, user: User) -> None:
    """Remove everything of the document; raise NotFoundError if somebody else did before.

    Work on it dies with the transaction. Duplicates lose nothing: the oldest of them takes
    the bytes over, with all that was made of them. Otherwise the bytes go after the commit,
    and again by the conductor until storage confirms.
    """
    document = _locked(document)
    heir = heir_of(document) if document.stored_key else None
    keys = disposal.keys_of(document)
    if heir is not None:
        inherited = {document.stored_key, derived.folder_of(document)}
        keys = [key for key in keys if key not in inherited]
        document = _hand_over(document, heir)
    signals.documents_deleted.send(Document, document_ids=[document.id])
    _settle_quota(document)
    _forget_in_events(document)
    _tell(document)
    release_copies(document)
    Document.objects.filter(id=document.id).delete()
    AuditEntry.objects.create(
        actor_id=user.pk,
        workspace_id=document.workspace_id,
        action="delete",
        details={"count": 1, "documents": [str(document.id)]},
    )
    # Before the bytes go, which is what `dispose` has happen next.
    transaction.on_commit(lambda: faults.point("delete.after_commit"), robust=True)
    disposal.dispose(keys, [document.multipart] if document.multipart else [])
    faults.point("delete.before_commit")


def _locked(document: Document) -> Document:
    """Lock the document and what points at it, in the one order that everybody keeps."""
    pointing = Q(duplicate_of=document.id) | Q(parent=document.id)
    rows = Document.objects.filter(Q(id=document.id) | pointing)
    locked = rows.order_by("id").select_for_update(of=("self",))
    # Of a large archive thousands point at it: their ids will do.
    if document.id not in set(locked.values_list("id", flat=True)):
        raise NotFoundError("There is no such document.")
    return Document.objects.get(id=document.id)


def _hand_over(document: Document, heir: Document) -> Document:
    """Have the heir go on with the work, and return what is left of the document."""
    if document.status == Status.CANCELLED:
        # Cancelled before anybody wanted the bytes; the heir does.
        revive([document.id])
        document.refresh_from_db()
    succeed(document, heir)
    Document.objects.filter(parent=document).update(parent=heir)
    document.refresh_from_db()
    return document


def _settle_quota(document: Document) -> None:
    quota.release([document.id])
    if document.stored_key:
        quota.give_back(document.workspace_id, document.size)


def _tell(document: Document) -> None:
    """Append the event that takes the document out of its batch's progress; it names nothing."""
    events.append(
        events.batch_stream(document.batch_id),
        "deleted",
        {
            "from": document.status,
            "n": 1,
            "with_text": int(document.processed_at is not None),
            "with_vectors": int(document.embedded_at is not None),
        },
    )


def _forget_in_events(document: Document) -> None:
    """Take id, path and error out of the stream's events; numbers and counts stay."""
    values: dict[str, Any] = {
        "stream": events.batch_stream(document.batch_id),
        "id": str(document.id),
    }
    with connection.cursor() as cursor:
        # In the order in which the conductor locks them.
        cursor.execute(
            "select id from documents_event where stream = %(stream)s"
            " and (payload->'documents' ? %(id)s or payload->>'document' = %(id)s)"
            " order by id for update",
            values,
        )
        values["events"] = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            """
            update documents_event set payload = case
              when payload ? 'documents' then
                jsonb_build_object('n', jsonb_array_length(payload->'documents')) || payload
                || jsonb_build_object('documents', (payload->'documents') - %(id)s)
              else payload - 'error' || '{"document": null, "path": ""}'
            end
            where id = any(%(events)s)
            """,
            values,
        )
