"""Register documents and sign the URLs that their bytes go to."""

import secrets
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from documents import clock, faults, kinds, paths
from documents.copying import copy_in
from documents.errors import (
    ConflictError,
    DeclarationChangedError,
    EmptyDocumentError,
    InvalidError,
    SluiceError,
    TooLargeError,
    WindowTooLargeError,
)
from documents.models import Batch, Document, DocumentQuerySet, Workspace
from documents.services import disposal, multipart, quota
from documents.services.moves import Member, announce, move
from documents.services.multipart import DEFAULT_TYPE, PARTS_AT_ONCE, PARTS_PER_WINDOW, SignedParts
from documents.services.revival import revive
from documents.states import Status
from documents.storage import get_storage
from documents.storage.interface import PresignedPut

MAX_WINDOW = 500
# What fits into one entry of an index beside an id; a path and a short suffix fit.
MAX_KEY_BYTES = 2_600


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a client says about one document before its bytes move."""

    client_key: str
    path: str
    size: int
    sha256: str = ""
    content_type: str = ""
    # What it was unpacked from.
    parent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one document of a window was not taken; the others go on."""

    error: SluiceError
    client_key: str = ""
    path: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A registered document and where to send its bytes, whole or in parts, if they are awaited."""

    document: Document
    put: PresignedPut | None = None
    parts: SignedParts | None = None


@dataclass(slots=True)
class Window:
    """The answer to one call: every document of it is in exactly one list."""

    uploads: list[Upload] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def register(batch: Batch, declarations: Sequence[Declaration], *, sign: bool = True) -> Window:
    """Register up to MAX_WINDOW documents and sign an upload URL for each that needs one.

    Without `sign` they are only listed, and nobody looks for their bytes.
    Safe to repeat: the same declaration gives the same document and a fresh
    URL, a hash may be added while the bytes are awaited, and another
    declaration under a used client key is refused.
    Raises QuotaExceededError for the whole window, which then leaves nothing.
    """
    window = enlist(batch, declarations, may_arrive=sign)
    if sign:
        window.uploads = sign_all([upload.document for upload in window.uploads])
    return window


def enlist(batch: Batch, declarations: Sequence[Declaration], *, may_arrive: bool = True) -> Window:
    """Register documents whose bytes the caller stores by itself, or nobody yet; see `register`."""
    check_window(len(declarations))
    window = Window()
    valid = _validated(batch.workspace, declarations, window.refusals)
    with transaction.atomic():
        documents = _register(batch, valid, window.refusals, may_arrive=may_arrive)
        faults.point("presign.before_commit")
    faults.point("presign.after_commit")
    window.uploads = [Upload(document) for document in documents]
    return window


def check_window(n: int) -> None:
    """Raise WindowTooLargeError unless 1 to MAX_WINDOW documents are given."""
    if not 1 <= n <= MAX_WINDOW:
        raise WindowTooLargeError(f"A request names 1 to {MAX_WINDOW} documents, not {n}.")


def sign_all(documents: Sequence[Document]) -> list[Upload]:
    """Return the documents with fresh URLs, of fewer parts each if many are large."""
    n_large = sum(multipart.is_large(document) for document in documents) or 1
    n_parts = max(1, min(PARTS_AT_ONCE, PARTS_PER_WINDOW // n_large))
    return [sign(document, n_parts=n_parts) for document in documents]


def sign(document: Document, *, n_parts: int = PARTS_AT_ONCE) -> Upload:
    """Return the document with a fresh URL, or some for parts, if its bytes are still awaited."""
    if document.status != Status.AWAITING:
        return Upload(document)
    if multipart.is_large(document):
        return Upload(document, parts=multipart.sign(document, at_most=n_parts))
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
        valid[given.client_key] = replace(given, path=path)
    return valid


def _register(
    batch: Batch, valid: dict[str, Declaration], refusals: list[Refusal], *, may_arrive: bool
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
        if _agrees(document, valid[key]):
            documents.append(document)
            continue
        error = DeclarationChangedError(
            f"{document.path} was registered with another path, size, type or hash. "
            "Use another client key for other bytes."
        )
        refusals.append(Refusal(error, client_key=key, path=valid[key].path))
    unknown = [valid[key] for key in valid if key not in known]
    created = _create(batch, unknown, may_arrive=may_arrive)
    _reopen(batch, [doc for doc in documents if doc.status == Status.EXPIRED])
    if may_arrive:
        listed = [document.id for document in documents if not document.may_arrive]
        if listed:
            Document.objects.filter(id__in=listed).update(may_arrive=True)
    documents = created + _with_hashes(batch, documents, valid)
    order = {key: position for position, key in enumerate(valid)}
    return sorted(documents, key=lambda document: order[document.client_key])


def _agrees(document: Document, given: Declaration) -> bool:
    """Tell whether nothing else is declared than before; what is left out says nothing."""
    if (document.path, document.size) != (given.path, given.size):
        return False
    if given.content_type not in ("", document.declared_type):
        return False
    known = document.declared_sha256 or document.sha256
    if known or not given.sha256:
        return given.sha256 in ("", known)
    # The hash is new: it can be told while no bytes are here that it might contradict.
    return document.status in (Status.AWAITING, Status.EXPIRED, Status.CANCELLED)


def _with_hashes(
    batch: Batch, documents: list[Document], valid: dict[str, Declaration]
) -> list[Document]:
    """Add the hashes that are declared only now; whoever's bytes are stored is a duplicate."""
    new = {
        document.id: valid[document.client_key]
        for document in documents
        if document.status == Status.AWAITING
        and not document.declared_sha256
        and valid[document.client_key].sha256
    }
    if not new:
        return documents
    # Before the documents that wait, as everywhere: originals are older.
    stored = _kept_originals(batch.workspace, list(new.values()))
    waiting = Document.objects.filter(id__in=new, status=Status.AWAITING).order_by("id")
    copies = []
    hashed = list(waiting.select_for_update(of=("self",), no_key=True))
    for document in hashed:
        document.declared_sha256 = new[document.id].sha256
        original = stored.get(document.declared_sha256)
        if original is not None and original.size == document.size:
            document.duplicate_of = original
            document.sha256, document.content_type = original.sha256, original.content_type
            copies.append(document)
    told = ("declared_sha256", "duplicate_of", "sha256", "content_type")
    Document.objects.bulk_update(hashed, told)
    _become_copies(copies)
    fresh = {document.id: document for document in Document.objects.filter(id__in=new)}
    return [fresh.get(document.id, document) for document in documents]


def _become_copies(documents: list[Document]) -> None:
    """Wait no longer for the bytes of locked documents: they are their originals'."""
    if not documents:
        return
    queryset = Document.objects.filter(id__in=[document.id for document in documents])
    leave_parts(queryset)
    ids = move(queryset, Status.DUPLICATE, uploaded_at=clock.now())
    revive([each.duplicate_of_id for each in documents if each.duplicate_of_id is not None])
    quota.release(ids)


def leave_parts(documents: DocumentQuerySet) -> None:
    """Give up what was sent in parts: it goes after the commit, and the key with it.

    A fresh key, because one that was disposed of is never written again.
    """
    begun = documents.exclude(multipart_id="").order_by("id")
    left = list(begun.select_for_update(of=("self",), no_key=True))
    if not left:
        return
    disposal.dispose([], [document.multipart for document in left if document.multipart])
    for document in left:
        document.incoming_key, document.multipart_id = incoming_key(document.id), ""
    Document.objects.bulk_update(left, ("incoming_key", "multipart_id"))


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


def _create(batch: Batch, declarations: list[Declaration], *, may_arrive: bool) -> list[Document]:
    """Insert new documents: awaiting their bytes, or duplicates of stored ones."""
    if not declarations:
        return []
    stored = _kept_originals(batch.workspace, declarations)
    now = clock.now()
    documents = [_new(batch, given, stored.get(given.sha256), now) for given in declarations]
    for document in documents:
        document.may_arrive = may_arrive
    # Before the quota: whoever locks documents and a workspace locks the documents first.
    revive([each.duplicate_of_id for each in documents if each.duplicate_of_id is not None])
    quota.reserve(batch.workspace, sum(document.reserved_bytes for document in documents))
    copy_in(documents)
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
        # Ids, not rows: for a window of 500 that is a tenth of the time.
        "workspace_id": batch.workspace_id,
        "batch_id": batch.id,
        "client_key": given.client_key,
        "path": given.path,
        "folder": folder,
        "name": name,
        "size": given.size,
        "declared_type": given.content_type,
        "declared_sha256": given.sha256,
        "parent_id": given.parent_id,
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
