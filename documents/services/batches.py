"""Open a batch; cancel, resume and retry what is in it."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from documents import signals
from documents.errors import InvalidError
from documents.models import AuditEntry, Batch, Document, DocumentQuerySet, Workspace
from documents.services import quota
from documents.services.moves import move
from documents.services.uploads import deadline
from documents.states import ACTIVE, Status

User = AbstractBaseUser | AnonymousUser
MAX_NAME = 200


def create_batch(
    workspace: Workspace,
    user: User,
    *,
    name: str = "",
    lane: str = Batch.Lane.AUTO,
    expected_documents: int | None = None,
) -> Batch:
    """Open a batch for one drop."""
    if lane not in Batch.Lane.values:
        raise InvalidError(f"The lane {lane!r} is not one of {', '.join(Batch.Lane.values)}.")
    if len(name) > MAX_NAME or "\x00" in name:
        raise InvalidError(f"A batch name has at most {MAX_NAME} characters and no NUL.")
    return Batch.objects.create(
        workspace=workspace,
        created_by_id=user.pk,
        name=name,
        lane=lane,
        expected_documents=expected_documents,
    )


@transaction.atomic
def cancel_batch(batch: Batch, user: User) -> int:
    """Stop everything in the batch that has not ended; return how many documents."""
    Batch.objects.select_for_update(no_key=True).get(id=batch.id)
    Batch.objects.filter(id=batch.id, cancelled_at=None).update(cancelled_at=timezone.now())
    cancelled = cancel(Document.objects.filter(batch=batch), user)
    batch.refresh_from_db(fields=("cancelled_at",))
    return cancelled


@transaction.atomic
def cancel(queryset: DocumentQuerySet, user: User) -> int:
    """Cancel these documents wherever they stand; their work dies with this transaction."""
    ids = move(queryset.filter(status__in=ACTIVE), Status.CANCELLED)
    if ids:
        quota.release(
            Document.objects.filter(id__in=ids, stored_key="").values_list("id", flat=True)
        )
        signals.documents_cancelled.send(Document, document_ids=ids)
        _audit(user, "cancel", ids)
    return len(ids)


@transaction.atomic
def resume_batch(batch: Batch, user: User) -> int:
    """Take a cancelled batch up again; return how many documents go on."""
    Batch.objects.select_for_update(no_key=True).get(id=batch.id)
    Batch.objects.filter(id=batch.id).update(cancelled_at=None)
    resumed = resume(Document.objects.filter(batch=batch), user)
    batch.refresh_from_db(fields=("cancelled_at",))
    return resumed


@transaction.atomic
def resume(queryset: DocumentQuerySet, user: User) -> int:
    """Put cancelled documents back to where their bytes and work stand.

    Documents whose bytes never came wait for them again, within the quota;
    receivers of `documents_resumed` set up the work of the others.
    """
    documents = list(
        queryset.filter(status=Status.CANCELLED)
        .select_related("workspace")
        .order_by("id")
        .select_for_update(of=("self",), no_key=True)
    )
    _reserve_again([document for document in documents if not document.stored_key])
    waiting = [document.id for document in documents if document.uploaded_at is None]
    # They get the time that a new upload has, or the next sweep would give them up.
    move(Document.objects.filter(id__in=waiting), Status.AWAITING, upload_expires_at=deadline())
    arrived = [document for document in documents if document.uploaded_at is not None]
    if arrived:
        signals.documents_resumed.send(Document, documents=arrived)
    if documents:
        _audit(user, "resume", [document.id for document in documents])
    return len(documents)


def _reserve_again(documents: list[Document]) -> None:
    """Reserve what cancelling gave back, or raise QuotaExceededError for all of it."""
    needed: dict[Workspace, int] = defaultdict(int)
    for document in documents:
        needed[document.workspace] += document.size - document.reserved_bytes
    for workspace in sorted(needed, key=lambda each: each.id):
        quota.reserve(workspace, needed[workspace])
    ids = [document.id for document in documents]
    Document.objects.filter(id__in=ids).update(reserved_bytes=F("size"))


@transaction.atomic
def retry(queryset: DocumentQuerySet, user: User) -> int:
    """Try failed and partial documents again; return how many."""
    documents = list(
        queryset.filter(status__in=(Status.FAILED, Status.PARTIAL))
        .order_by("id")
        .select_for_update(of=("self",), no_key=True)
    )
    if documents:
        signals.documents_retried.send(Document, documents=documents)
        _audit(user, "retry", [document.id for document in documents])
    return len(documents)


def _audit(user: User, action: str, document_ids: Iterable[UUID]) -> None:
    ids = [str(document_id) for document_id in document_ids]
    AuditEntry.objects.create(
        actor_id=user.pk, action=action, details={"count": len(ids), "documents": ids[:500]}
    )
