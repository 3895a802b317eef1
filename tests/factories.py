"""Make the rows that tests start from."""

import hashlib
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from documents.models import Batch, Document, Membership, Workspace
from documents.services.moves import Member, announce
from documents.services.uploads import incoming_key
from documents.states import Status
from documents.storage import get_storage


def make_user(name: str = "", *, workspace: Workspace | None = None, **fields: Any) -> User:
    """Return a user who can sign in with the password "password", owner of a workspace."""
    name = name or f"user-{uuid4().hex[:8]}"
    user = User.objects.create_user(username=name, password="password", **fields)
    Membership.objects.create(
        user=user, workspace=workspace or make_workspace(), role=Membership.Role.OWNER
    )
    return user


def make_workspace(**fields: Any) -> Workspace:
    """Return a workspace."""
    return Workspace.objects.create(**{"name": f"Workspace {uuid4().hex[:8]}", **fields})


def make_batch(workspace: Workspace | None = None, **fields: Any) -> Batch:
    """Return a batch."""
    return Batch.objects.create(workspace=workspace or make_workspace(), **fields)


@transaction.atomic
def make_document(
    batch: Batch | None = None, *, status: Status = Status.AWAITING, **fields: Any
) -> Document:
    """Return a document in `status`, with the event that says so."""
    batch = batch or make_batch()
    path = fields.pop("path", f"folder/{uuid4().hex[:8]}.txt")
    folder, _, name = path.rpartition("/")
    document_id = uuid4()
    document = Document(
        **{
            "id": document_id,
            "workspace": batch.workspace,
            "batch": batch,
            "client_key": path,
            "path": path,
            "folder": folder,
            "name": name,
            "size": 100,
            "status": status,
            "incoming_key": incoming_key(document_id),
            **fields,
        }
    )
    document.save(force_insert=True)
    has_text, has_vectors = document.processed_at is not None, document.embedded_at is not None
    member = Member(document.id, has_text=has_text, has_vectors=has_vectors)
    announce(batch.id, None, status, [member])
    return document


def make_stored(batch: Batch, content: bytes, *, path: str = "folder/a.txt") -> Document:
    """Return a document awaiting its bytes, whose bytes have arrived."""
    document = make_document(
        batch,
        path=path,
        size=len(content),
        declared_sha256=hashlib.sha256(content).hexdigest(),
        reserved_bytes=len(content),
    )
    Workspace.objects.filter(id=batch.workspace_id).update(
        reserved_bytes=F("reserved_bytes") + len(content)
    )
    get_storage().put(document.incoming_key, content, "text/plain")
    return document
