"""Bring the bytes of registered documents to the store, several at once, and complete them."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from documents.errors import (
    HashMismatchError,
    SizeMismatchError,
    SluiceError,
    StorageError,
    StorageFullError,
)
from documents.folders import Refused, unreadable
from documents.models import Batch, Document
from documents.services import arrivals
from documents.services.multipart import DEFAULT_TYPE
from documents.states import Status
from documents.storage import get_storage

# Storing waits for disks and networks more than it computes.
PUTS_AT_ONCE = 8
COMPLETE_SECONDS = 1.0
RETRY_SECONDS = (1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Sending:
    """A registered document and where its bytes are; `may_be_there` if it was known before."""

    document: Document
    open: Callable[[], BinaryIO]
    may_be_there: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The batch has this document; `sent` if its bytes moved just now."""

    path: str
    sent: bool


def deliver(batch: Batch, window: Sequence[Sending]) -> Iterator[Taken | Refused]:
    """Store what the batch waits for, and complete it about once a second.

    Raises StorageError when storage stays away; what has arrived until then is complete,
    as it is when the caller stops early.
    """
    sent: list[UUID] = []
    completed_at = time.monotonic()
    with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
        try:
            for sending, outcome in zip(window, pool.map(_store, window), strict=True):
                if isinstance(outcome, Refused):
                    arrivals.expire(sending.document)
                elif outcome.sent:
                    sent.append(sending.document.id)
                yield outcome
                if sent and time.monotonic() - completed_at >= COMPLETE_SECONDS:
                    yield from _complete(batch, sent)
                    sent, completed_at = [], time.monotonic()
        finally:
            pool.shutdown(cancel_futures=True)
            # Also when storage stays away: what has arrived goes on.
            refused = _complete(batch, sent)
    yield from refused


def _store(sending: Sending) -> Taken | Refused:
    """Store the bytes of one document if the batch waits for them; touches no row."""
    path = sending.document.path
    if sending.document.status != Status.AWAITING:
        return Taken(path, sent=False)
    try:
        _put_patiently(sending)
    except OSError as error:
        return Refused(path, unreadable(path, error))
    except (SizeMismatchError, HashMismatchError) as error:
        return Refused(path, error)
    return Taken(path, sent=True)


def _put_patiently(sending: Sending) -> None:
    for seconds in RETRY_SECONDS:
        try:
            return _put(sending)
        except StorageFullError:
            raise
        except StorageError:
            time.sleep(seconds)
    return _put(sending)


def _put(sending: Sending) -> None:
    """Store what was declared, or nothing: bytes that changed meanwhile are taken back."""
    storage = get_storage()
    document = sending.document
    if sending.may_be_there:
        # An earlier run may have ended between storing and completing.
        arrived = storage.stat(document.incoming_key)
        if arrived is not None and arrived.size == document.size:
            return
    with sending.open() as stream:
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
