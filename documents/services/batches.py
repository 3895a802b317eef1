"""Open a batch; cancel, resume and retry what is in it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from documents import faults, signals
from documents.errors import InvalidError, NotFoundError
from documents.models import AuditEntry, Batch, Document, DocumentQuerySet, Workspace
from documents.services import quota
from documents.services.moves import move
from documents.services.revival import revive
from documents.services.succession import heir_of, step_back, succeed
from documents.services.uploads import Refusal, check_window, deadline, leave_parts
from documents.states import Status

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


def choose(batch: Batch, document_ids: Sequence[UUID]) -> tuple[DocumentQuerySet, list[Refusal]]:
    """Return these documents, and a refusal for each id that is of no document of the batch.

    An id given twice counts once. Raises WindowTooLargeError for none or too many.
    """
    check_window(len(document_ids))
    wanted = dict.fromkeys(document_ids)
    chosen = Document.objects.filter(batch=batch, id__in=list(wanted))
    known = set(chosen.values_list("id", flat=True))
    unknown = NotFoundError("There is no such document in this batch.")
    refusals = [Refusal(unknown, id=str(each)) for each in wanted if each not in known]
    return chosen, refusals


@transaction.atomic
def cancel_batch(batch: Batch, user: User) -> int:
    """Stop everything in the batch that has not ended; return how many documents."""
    Batch.objects.select_for_update(no_key=True).get(id=batch.id)
    Batch.objects.filter(id=batch.id, cancelled_at=None).update(cancelled_at=Now())
    cancelled = cancel(Document.objects.filter(batch=batch), user)
    batch.refresh_from_db(fields=("cancelled_at",))
    return cancelled


@transaction.atomic
def cancel(queryset: DocumentQuerySet, user: User) -> int:
    """Cancel these documents wherever they stand; their work dies with this transaction.

    What is searchable stays, also while something optional is still done for it.
    Duplicates among them end with their original. One that is not among them takes the
    bytes and the work over: what others dropped goes on.
    """
    active = queryset.stoppable()
    # Locked before anybody looks for duplicates, so that none comes to point at them meanwhile.
    list(active.order_by("id").select_for_update(of=("self",), no_key=True).values_list("id"))
    leave_parts(active)
    ids = _hand_over(queryset) + move(active, Status.CANCELLED)
    if ids:
        move(queryset.filter(status=Status.DUPLICATE, duplicate_of__in=ids), Status.CANCELLED)
        quota.release(
            Document.objects.filter(id__in=ids, stored_key="").values_list("id", flat=True)
        )
        signals.documents_cancelled.send(Document, document_ids=ids)
        _audit(user, "cancel", ids)
    faults.point("cancel.before_commit")
    return len(ids)


def _hand_over(queryset: DocumentQuerySet) -> list[UUID]:
    """Cancel the originals that have a duplicate elsewhere, which goes on in their place."""
    wanted = Document.objects.filter(status=Status.DUPLICATE).exclude(id__in=queryset.values("id"))
    originals = queryset.stoppable().filter(id__in=wanted.values("duplicate_of"))
    cancelled = []
    for original in list(originals.order_by("id")):
        among = set(queryset.filter(duplicate_of=original).values_list("id", flat=True))
        heir = heir_of(original, besides=among)
        if heir is not None:
            succeed(original, heir)
            step_back(original, heir)
            cancelled.append(original.id)
    return cancelled


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
    copies = [document for document in documents if document.duplicate_of_id is not None]
    own = [document for document in documents if document.duplicate_of_id is None]
    _reserve_again([document for document in own if not document.stored_key])
    waiting = [document.id for document in own if document.uploaded_at is None]
    # They get the time that a new upload has, or the next sweep would give them up.
    move(Document.objects.filter(id__in=waiting), Status.AWAITING, upload_expires_at=deadline())
    arrived = [document for document in own if document.uploaded_at is not None]
    if arrived:
        signals.documents_resumed.send(Document, documents=arrived)
    _resume_copies(copies)
    if documents:
        _audit(user, "resume", [document.id for document in documents])
    faults.point("resume.before_commit")
    return len(documents)


def _resume_copies(copies: list[Document]) -> None:
    """Find duplicates through their originals again, which may have been stopped meanwhile."""
    if not copies:
        return
    move(Document.objects.filter(id__in=[copy.id for copy in copies]), Status.DUPLICATE)
    revive(copy.duplicate_of_id for copy in copies if copy.duplicate_of_id is not None)


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
    faults.point("retry.before_commit")
    return len(documents)


def _audit(user: User, action: str, document_ids: Iterable[UUID]) -> None:
    ids = [str(document_id) for document_id in document_ids]
    AuditEntry.objects.create(
        actor_id=user.pk, action=action, details={"count": len(ids), "documents": ids[:500]}
    )
