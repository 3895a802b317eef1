"""Read stored documents anew, from their bytes, beside what was read of them before."""

from django.db import transaction
from django.db.models import Case, F, PositiveIntegerField, When

from documents import faults, signals
from documents.errors import ConflictError
from documents.models import AuditEntry, Document, DocumentQuerySet
from documents.selectors import User
from documents.services.moves import move
from documents.states import Status

READABLE = (Status.READY, Status.PARTIAL, Status.FAILED, Status.PROCESSING)
NO_ERROR = {"error_code": "", "error_detail": "", "error_stage": "", "retry_at": None}


@transaction.atomic
def reprocess(queryset: DocumentQuerySet, user: User) -> int:
    """Begin a new generation of these documents, where their bytes are stored; return how many.

    What can be searched stays searchable until the new generation is complete and takes
    its place. A generation that is still being worked on is given up for the new one.
    """
    documents = queryset.filter(status__in=READABLE).exclude(stored_key="").order_by("id")
    ids = [row.id for row in documents.select_for_update(of=("self",), no_key=True)]
    if ids:
        chosen = Document.objects.filter(id__in=ids)
        move(chosen, Status.PROCESSING)
        following = F("generation") + 1
        # Without any text there is nothing to keep: words are found as soon as they are read.
        live = Case(
            When(processed_at=None, then=following),
            default=F("live_generation"),
            output_field=PositiveIntegerField(),
        )
        chosen.update(generation=following, live_generation=live, **NO_ERROR)
        renewed = list(chosen.select_related("batch").order_by("id"))
        signals.documents_reprocessed.send(Document, documents=renewed)
        AuditEntry.objects.create(
            actor_id=user.pk,
            action="reprocess",
            details={"count": len(ids), "documents": [str(each) for each in ids[:500]]},
        )
    faults.point("reprocess.before_commit")
    return len(ids)


def reprocess_one(document: Document, user: User) -> None:
    """Read one document anew; a duplicate is read through its original.

    Raises ConflictError, with what to do instead, when its bytes cannot be read.
    """
    holder = document.duplicate_of or document
    if not reprocess(Document.objects.filter(id=holder.id), user):
        raise ConflictError(_why_not(holder))


def _why_not(document: Document) -> str:
    if document.status == Status.CANCELLED:
        return f"{document.name} is cancelled. Resume it instead."
    if document.status == Status.FAILED:
        return f"The bytes of {document.name} were never checked. Retry it instead."
    return f"The bytes of {document.name} are not stored, so there is nothing to read anew."
