"""Bring documents of this machine into a batch, by the services a browser uses.

Safe to run again over the same folders: the batch knows its paths, so only
what is missing is sent.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from documents.errors import (
    HashMismatchError,
    QuotaExceededError,
    SizeMismatchError,
    SluiceError,
    StorageError,
    StorageFullError,
)
from documents.folders import Found, Refused, unreadable
from documents.models import Batch, Document, Workspace
from documents.services import arrivals, batches, uploads
from documents.services.batches import MAX_NAME
from documents.services.uploads import DEFAULT_TYPE, MAX_WINDOW, Declaration
from documents.states import Status
from documents.storage import get_storage

# A window of few large documents is closed early, so that work on them starts.
WINDOW_BYTES = 256 * 1024**2
# Storing waits for disks and networks more than it computes.
PUTS_AT_ONCE = 8
COMPLETE_SECONDS = 1.0
RETRY_SECONDS = (1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Declared:
    """A document and what is said about it; `known` if the batch has it already."""

    found: Found
    declaration: Declaration
    known: Document | None


@dataclass(frozen=True, slots=True)
class Taken:
    """The batch has this document; `sent` if its bytes moved just now."""

    path: str
    sent: bool


def open_batch(
    workspace: Workspace, user: batches.User, *, name: str, expected_documents: int
) -> Batch:
    """Return the batch that a run under this name continues, or a new one."""
    return find_batch(workspace, name) or batches.create_batch(
        workspace, user, name=_short(name), expected_documents=expected_documents
    )


def find_batch(workspace: Workspace, name: str) -> Batch | None:
    """Return the newest batch of this name that is not cancelled."""
    named = Batch.objects.filter(workspace=workspace, name=_short(name), cancelled_at=None)
    return named.select_related("workspace").order_by("-created_at", "id").first()


def send(batch: Batch, documents: Iterable[Found]) -> Iterator[Taken | Refused]:
    """Register, store and complete documents; yield what became of each.

    Raises ConflictError for a cancelled batch, and StorageError when storage
    stays away: what was taken until then is complete.
    """
    for declared in declare(batch, documents):
        yield from (entry for entry in declared if isinstance(entry, Refused))
        yield from _send(batch, [entry for entry in declared if isinstance(entry, Declared)])


def declare(batch: Batch, documents: Iterable[Found]) -> Iterator[list[Declared | Refused]]:
    """Hash documents and match them with what the batch knows, a window at a time."""
    for window in _windows(documents):
        known: dict[str, list[Document]] = defaultdict(list)
        at_paths = Document.objects.filter(batch=batch, path__in=[found.path for found in window])
        for document in at_paths.order_by("path", "created_at", "id"):
            known[document.path].append(document)
        taken: set[str] = set()
        yield [_declare(found, known[found.path], taken) for found in window]


def _short(name: str) -> str:
    """Return a name that fits: the end of a long path, and a digest of all of it."""
    if len(name) <= MAX_NAME:
        return name
    return f"{hashlib.sha256(name.encode()).hexdigest()[:8]}…{name[9 - MAX_NAME :]}"


def _windows(documents: Iterable[Found]) -> Iterator[list[Found]]:
    window: list[Found] = []
    n_bytes = 0
    for found in documents:
        window.append(found)
        n_bytes += found.size
        if len(window) == MAX_WINDOW or n_bytes > WINDOW_BYTES:
            yield window
            window, n_bytes = [], 0
    if window:
        yield window


def _declare(found: Found, known: list[Document], taken: set[str]) -> Declared | Refused:
    try:
        with found.source.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return Refused(found.path, unreadable(found.path, error))
    for document in known:
        declared = document.declared_sha256
        if document.size == found.size and (document.sha256 or declared) in (sha256, ""):
            said = (document.client_key, found.path, found.size, declared, document.declared_type)
            taken.add(document.client_key)
            return Declared(found, Declaration(*said), document)
    key = found.path
    if known or key in taken:
        # Other bytes at a known path, changed since or of a second folder, are another document.
        key = f"{found.path} {sha256[:16]}"
    taken.add(key)
    return Declared(found, Declaration(key, found.path, found.size, sha256), None)


def _send(batch: Batch, declared: list[Declared]) -> Iterator[Taken | Refused]:
    by_key = {each.declaration.client_key: each for each in declared}
    if not by_key:
        return
    try:
        window = uploads.register(batch, [each.declaration for each in by_key.values()])
    except QuotaExceededError as error:
        yield from (Refused(each.found.path, error) for each in declared)
        return
    yield from (Refused(refusal.path, refusal.error) for refusal in window.refusals)
    documents = [upload.document for upload in window.uploads]
    yield from _deliver(batch, [(each, by_key[each.client_key]) for each in documents])


def _deliver(batch: Batch, window: list[tuple[Document, Declared]]) -> Iterator[Taken | Refused]:
    """Store what the batch waits for, several at once, and complete it about once a second."""
    sent: list[UUID] = []
    completed_at = time.monotonic()
    with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
        try:
            outcomes = pool.map(lambda pair: _store(*pair), window)
            for (document, _), outcome in zip(window, outcomes, strict=True):
                if isinstance(outcome, Refused):
                    arrivals.expire(document)
                elif outcome.sent:
                    sent.append(document.id)
                yield outcome
                if sent and time.monotonic() - completed_at >= COMPLETE_SECONDS:
                    yield from _complete(batch, sent)
                    sent, completed_at = [], time.monotonic()
        finally:
            pool.shutdown(cancel_futures=True)
            # Also when storage stays away: what has arrived goes on.
            refused = _complete(batch, sent)
    yield from refused


def _store(document: Document, declared: Declared) -> Taken | Refused:
    """Store the bytes of one document if the batch waits for them; touches no row."""
    path = declared.found.path
    if document.status != Status.AWAITING:
        return Taken(path, sent=False)
    try:
        _put_patiently(document, declared)
    except OSError as error:
        return Refused(path, unreadable(path, error))
    except (SizeMismatchError, HashMismatchError) as error:
        return Refused(path, error)
    return Taken(path, sent=True)


def _put_patiently(document: Document, declared: Declared) -> None:
    for seconds in RETRY_SECONDS:
        try:
            return _put(document, declared)
        except StorageFullError:
            raise
        except StorageError:
            time.sleep(seconds)
    return _put(document, declared)


def _put(document: Document, declared: Declared) -> None:
    """Store what was declared, or nothing: bytes that changed meanwhile are taken back."""
    storage = get_storage()
    if declared.known is not None:
        # An earlier run may have ended between storing and completing.
        arrived = storage.stat(document.incoming_key)
        if arrived is not None and arrived.size == document.size:
            return
    with declared.found.source.open("rb") as stream:
        content_type = document.declared_type or DEFAULT_TYPE
        stored = storage.put(document.incoming_key, stream, content_type)
    error = _difference(document, stored.size, stored.sha256)
    if error is not None:
        storage.delete(document.incoming_key)
        raise error


def _difference(document: Document, size: int, sha256: str | None) -> SluiceError | None:
    said = f"{document.path} changed while it was read; ingest it again."
    if size != document.size:
        return SizeMismatchError(said)
    if sha256 and document.declared_sha256 not in (sha256, ""):
        return HashMismatchError(said)
    return None


def _complete(batch: Batch, document_ids: list[UUID]) -> list[Refused]:
    """Have the documents worked on; return those whose object is not there after all."""
    if not document_ids:
        return []
    _, refusals = arrivals.complete(batch, document_ids)
    return [Refused(refusal.path, refusal.error) for refusal in refusals]
