"""Bring documents of this machine into a batch, by the services a browser uses.

Safe to run again over the same folders: the batch knows its paths, so only
what is missing is sent.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from documents.errors import QuotaExceededError
from documents.folders import Found, Refused, unreadable
from documents.models import Batch, Document, Workspace
from documents.services import batches, uploads
from documents.services.batches import MAX_NAME
from documents.services.delivery import Sending, Taken, deliver
from documents.services.uploads import MAX_WINDOW, Declaration

# A window of few large documents is closed early, so that work on them starts.
WINDOW_BYTES = 256 * 1024**2
# A slow disk answers several questions in the time of one.
HASHES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Declared:
    """A document and what is said about it; `known` if the batch has it already."""

    found: Found
    declaration: Declaration
    known: Document | None


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
    for window in _hashed(documents):
        known: dict[str, list[Document]] = defaultdict(list)
        at_paths = [found.path for found, _ in window]
        documents_there = Document.objects.filter(batch=batch, path__in=at_paths)
        for document in documents_there.order_by("path", "created_at", "id"):
            known[document.path].append(document)
        taken: set[str] = set()
        yield [_declare(found, sha256, known[found.path], taken) for found, sha256 in window]


def _hashed(documents: Iterable[Found]) -> Iterator[list[tuple[Found, str | Refused]]]:
    """Hash several documents at once, and the next window while this one is sent."""
    pool = ThreadPoolExecutor(HASHES_AT_ONCE)
    ahead: deque[list[tuple[Found, Future[str | Refused]]]] = deque()
    try:
        for window in _windows(documents):
            ahead.append([(found, pool.submit(_hash, found)) for found in window])
            if len(ahead) > 1:
                yield [(found, hashed.result()) for found, hashed in ahead.popleft()]
        while ahead:
            yield [(found, hashed.result()) for found, hashed in ahead.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def _hash(found: Found) -> str | Refused:
    try:
        with found.source.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return Refused(found.path, unreadable(found.path, error))


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


def _declare(
    found: Found, sha256: str | Refused, known: list[Document], taken: set[str]
) -> Declared | Refused:
    if isinstance(sha256, Refused):
        return sha256
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
        window = uploads.enlist(batch, [each.declaration for each in by_key.values()])
    except QuotaExceededError as error:
        yield from (Refused(each.found.path, error) for each in declared)
        return
    yield from (Refused(refusal.path, refusal.error) for refusal in window.refusals)
    documents = [upload.document for upload in window.uploads]
    yield from deliver(batch, [_sending(each, by_key[each.client_key]) for each in documents])


def _sending(document: Document, declared: Declared) -> Sending:
    source = declared.found.source
    may_be_there = declared.known is not None
    return Sending(document, lambda: source.open("rb"), may_be_there=may_be_there)
