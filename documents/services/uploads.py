"""Register documents and sign the URLs that their bytes go to."""

import secrets
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from documents import clock, faults, kinds, paths
from documents.errors import (
    ConflictError,
    DeclarationChangedError,
    EmptyDocumentError,
    InvalidError,
    SluiceError,
    TooLargeError,
    WindowTooLargeError,
)
from documents.models import Batch, Document, Workspace
from documents.services import quota
from documents.services.moves import Member, announce, move
from documents.services.revival import revive
from documents.states import Status
from documents.storage import get_storage
from documents.storage.interface import PresignedPut

MAX_WINDOW = 500
# What fits into one entry of an index beside an id; a path and a short suffix fit.
MAX_KEY_BYTES = 2_600
DEFAULT_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a client says about one document before its bytes move."""

    client_key: str
    path: str
    size: int
    sha256: str = ""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one document of a window was not taken; the others go on."""

    error: SluiceError
    client_key: str = ""
    path: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A registered document and, while its bytes are awaited, where to send them."""

    document: Document
    put: PresignedPut | None


@dataclass(slots=True)
class Window:
    """The answer to one call: every document of it is in exactly one list."""

    uploads: list[Upload] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def register(batch: Batch, declarations: Sequence[Declaration]) -> Window:
    """Register up to MAX_WINDOW documents and sign an upload URL for each that needs one.

    Safe to repeat: the same declaration gives the same document and a fresh
    URL; another declaration under a used client key is refused.
    Raises QuotaExceededError for the whole window, which then leaves nothing.
    """
    check_window(len(declarations))
    window = Window()
    valid = _validated(batch.workspace, declarations, window.refusals)
    with transaction.atomic():
        documents = _register(batch, valid, window.refusals)
        faults.point("presign.before_commit")
    faults.point("presign.after_commit")
    window.uploads = [sign(document) for document in documents]
    return window


def check_window(n: int) -> None:
    """Raise WindowTooLargeError unless 1 to MAX_WINDOW documents are given."""
    if not 1 <= n <= MAX_WINDOW:
        raise WindowTooLargeError(f"A request names 1 to {MAX_WINDOW} documents, not {n}.")


def sign(document: Document) -> Upload:
    """Return the document with a fresh URL if its bytes are still awaited."""
    if document.status != Status.AWAITING:
        return Upload(document, None)
    put = get_storage().presign_put(
        document.incoming_key,
        size=document.size,
        content_type=document.declared_type or DEFAULT_TYPE,
        sha256=document.declared_sha256 or None,
        expires_seconds=settings.UPLOAD_URL_SECONDS,
    )
    return Upload(document, put)


def check_path_and_size(workspace: Workspace, path: str, size: int) -> str:
    """Return the normalised path of an acceptable document, or raise what is wrong with it."""
    path = paths.normalise(path)
    if size < 1:
        raise EmptyDocumentError(f"{path} is empty; there is nothing in it to find.")
    if size > workspace.max_document_bytes:
        raise TooLargeError(
            f"{path} has {size} bytes; the limit is {workspace.max_document_bytes}.",
            limit=workspace.max_document_bytes,
        )
    kinds.check_suffix(path, workspace.accepted_kinds)
    return path


def _validated(
    workspace: Workspace, declarations: Sequence[Declaration], refusals: list[Refusal]
) -> dict[str, Declaration]:
    """Return the acceptable declarations by client key, paths normalised."""
    repeated = Counter(declaration.client_key for declaration in declarations)
    valid: dict[str, Declaration] = {}
    for given in declarations:
        try:
            if repeated[given.client_key] > 1:
                raise InvalidError(f"The client key {given.client_key!r} is used twice.")
            if len(given.client_key.encode()) > MAX_KEY_BYTES:
                raise InvalidError(f"A client key has at most {MAX_KEY_BYTES} bytes of UTF-8.")
            path = check_path_and_size(workspace, given.path, given.size)
        except SluiceError as error:
            refusals.append(Refusal(error, client_key=given.client_key, path=given.path))
            continue
        valid[given.client_key] = Declaration(
            given.client_key, path, given.size, given.sha256, given.content_type
        )
    return valid


def _register(
    batch: Batch, valid: dict[str, Declaration], refusals: list[Refusal]
) -> list[Document]:
    """Return the documents of the window in its order, old ones and new."""
    # Windows of one batch take turns, so that no key is registered twice.
    locked = Batch.objects.select_for_update(no_key=True).get(id=batch.id)
    if locked.cancelled_at is not None:
        raise ConflictError("This batch is cancelled. Resume it, or start another.")
    known = {
        document.client_key: document
        for document in Document.objects.filter(batch=batch, client_key__in=valid).order_by("id")
    }
    documents = []
    for key, document in known.items():
        if _same(document, valid[key]):
            documents.append(document)
            continue
        error = DeclarationChangedError(
            f"{document.path} was registered with another path, size, type or hash. "
            "Use another client key for other bytes."
        )
        refusals.append(Refusal(error, client_key=key, path=valid[key].path))
    created = _create(batch, [valid[key] for key in valid if key not in known])
    _reopen(batch, [doc for doc in documents if doc.status == Status.EXPIRED])
    documents += created
    order = {key: position for position, key in enumerate(valid)}
    return sorted(documents, key=lambda document: order[document.client_key])


def _same(document: Document, declaration: Declaration) -> bool:
    return (document.path, document.size, document.declared_sha256, document.declared_type) == (
        declaration.path,
        declaration.size,
        declaration.sha256,
        declaration.content_type,
    )


def _reopen(batch: Batch, expired: list[Document]) -> None:
    """Wait again for documents that were given up."""
    if not expired:
        return
    quota.reserve(batch.workspace, sum(document.size for document in expired))
    expires_at = deadline()
    for document in expired:
        fresh = {
            "reserved_bytes": document.size,
            "upload_expires_at": expires_at,
            # The old key may be used up: what it held was taken back, or came too late.
            "incoming_key": incoming_key(document.id),
        }
        move(Document.objects.filter(id=document.id), Status.AWAITING, **fresh)
        document.refresh_from_db()


def _create(batch: Batch, declarations: list[Declaration]) -> list[Document]:
    """Insert new documents: awaiting their bytes, or duplicates of stored ones."""
    if not declarations:
        return []
    stored = _kept_originals(batch.workspace, declarations)
    now = clock.now()
    documents = [_new(batch, given, stored.get(given.sha256), now) for given in declarations]
    # Before the quota: whoever locks documents and a workspace locks the documents first.
    revive([each.duplicate_of_id for each in documents if each.duplicate_of_id is not None])
    quota.reserve(batch.workspace, sum(document.reserved_bytes for document in documents))
    Document.objects.bulk_create(documents)
    for status in (Status.AWAITING, Status.DUPLICATE):
        members = [Member(document.id) for document in documents if document.status == status]
        if members:
            announce(batch.id, None, status, members)
    return documents


def originals(workspace: Workspace, declarations: list[Declaration]) -> dict[str, Document]:
    """Return the stored documents of this workspace, and no other, by hash."""
    hashes = {declaration.sha256 for declaration in declarations} - {""}
    stored = Document.objects.filter(workspace=workspace, sha256__in=hashes).exclude(stored_key="")
    return {document.sha256: document for document in stored}


def _kept_originals(workspace: Workspace, declarations: list[Declaration]) -> dict[str, Document]:
    """Return the same, locked: none is deleted while documents come to point at it."""
    ids = [document.id for document in originals(workspace, declarations).values()]
    if not ids:
        return {}
    kept = Document.objects.filter(id__in=ids).exclude(stored_key="").order_by("id")
    locked = kept.select_for_update(of=("self",), no_key=True)
    return {document.sha256: document for document in locked}


def _new(batch: Batch, given: Declaration, original: Document | None, now: datetime) -> Document:
    folder, name = paths.split(given.path)
    document_id = uuid.uuid4()
    common: dict[str, Any] = {
        "id": document_id,
        "workspace": batch.workspace,
        "batch": batch,
        "client_key": given.client_key,
        "path": given.path,
        "folder": folder,
        "name": name,
        "size": given.size,
        "declared_type": given.content_type,
        "declared_sha256": given.sha256,
        "created_at": now,
    }
    # A declared hash is believed only together with its size: both are the original's.
    if original is not None and original.size == given.size:
        return Document(
            **common,
            status=Status.DUPLICATE,
            duplicate_of=original,
            sha256=original.sha256,
            content_type=original.content_type,
            uploaded_at=now,
        )
    return Document(
        **common,
        status=Status.AWAITING,
        reserved_bytes=given.size,
        incoming_key=incoming_key(document_id),
        upload_expires_at=now + timedelta(seconds=settings.UPLOAD_EXPIRY_SECONDS),
    )


def incoming_key(document_id: UUID) -> str:
    """Return a fresh key that an upload URL may name."""
    return f"incoming/{document_id}/{secrets.token_hex(8)}"


def deadline() -> datetime:
    """Return when an upload that begins now is given up."""
    return clock.now() + timedelta(seconds=settings.UPLOAD_EXPIRY_SECONDS)
