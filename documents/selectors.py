"""The only ways a request gets hold of an object: each asks who is asking.

What is not yours is answered exactly as what does not exist.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from documents import events, progress
from documents.errors import NotFoundError, PermissionDeniedError
from documents.models import Batch, Document, DocumentQuerySet, Event, Stream, Workspace

User = AbstractBaseUser | AnonymousUser
# Older events than this are not replayed; the client gets the snapshot.
MAX_REPLAY = 500


def get_workspace_for(user: User) -> Workspace:
    """Return the workspace `user` works in: the one joined first."""
    workspace = (
        Workspace.objects.filter(memberships__user=user.pk)
        .order_by("memberships__created_at", "memberships__id")
        .first()
    )
    if workspace is None:
        raise PermissionDeniedError("You are not a member of any workspace yet.")
    return workspace


def batches_for(user: User) -> QuerySet[Batch]:
    """Return the batches of every workspace `user` is a member of."""
    return Batch.objects.filter(workspace__memberships__user=user.pk)


def documents_for(user: User) -> DocumentQuerySet:
    """Return the documents of every workspace `user` is a member of."""
    return Document.objects.filter(workspace__memberships__user=user.pk)


def get_batch_for(user: User, batch_id: UUID) -> Batch:
    """Return the batch, or raise NotFoundError."""
    batch = batches_for(user).select_related("workspace").filter(id=batch_id).first()
    if batch is None:
        raise NotFoundError("There is no such batch.")
    return batch


def get_document_for(user: User, document_id: UUID) -> Document:
    """Return the document, or raise NotFoundError."""
    document = (
        documents_for(user)
        .select_related("batch", "workspace", "duplicate_of", "parent")
        .filter(id=document_id)
        .first()
    )
    if document is None:
        raise NotFoundError("There is no such document.")
    return document


def children_of(document: Document) -> DocumentQuerySet:
    """Return what was in an archive or a mail, by path; a duplicate's is its original's."""
    holder_id = document.duplicate_of_id or document.id
    return Document.objects.filter(parent=holder_id).order_by("path", "id")


def progress_of(batch_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the Progress object of each batch; one query for all."""
    names = {events.batch_stream(batch_id): batch_id for batch_id in batch_ids}
    streams = {stream.name: stream for stream in Stream.objects.filter(name__in=names)}
    now = timezone.now()
    empty = Stream(number=0, state={})
    return {
        batch_id: progress.shown(
            streams.get(name, empty).state, streams.get(name, empty).number, now
        )
        for name, batch_id in names.items()
    }


def stages_of(document_ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Return the stages of each document, as the app named in the settings tells them."""
    tell = import_string(settings.DOCUMENT_STAGES)
    stages: dict[UUID, list[dict[str, Any]]] = tell(document_ids)
    return stages


def events_since(batch: Batch, number: int) -> dict[str, Any]:
    """Return the events after `number`, or the snapshot when they are too many.

    The progress rides along either way, so a client never has to add up.
    """
    now_shown = progress_of([batch.id])[batch.id]
    answer: dict[str, Any] = {"from": number, "to": now_shown["seq"], "snapshot": now_shown}
    if not 0 <= number <= now_shown["seq"] or now_shown["seq"] - number > MAX_REPLAY:
        return answer | {"events": None}
    rows = Event.objects.filter(
        stream=events.batch_stream(batch.id), number__gt=number, number__lte=now_shown["seq"]
    ).order_by("number")
    return answer | {"events": [as_json(event) for event in rows]}


def as_json(event: Event) -> dict[str, Any]:
    """Return the event as clients read it."""
    return {"seq": event.number, "kind": event.kind, **event.payload}
