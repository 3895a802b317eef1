"""Take objects away for good: noted with the rows they belong to, repeated until they are gone.

A process may die between the commit and storage, storage may be away, and a worker
that was just stopped may still write: so what must go is a row, which the leading
conductor works off, and which goes only when nobody can write the object any more.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from documents import clock, derived, faults
from documents.errors import StorageError
from documents.models import Disposal, Document
from documents.states import Status
from documents.storage import get_storage
from documents.storage.interface import DERIVED_PREFIX, INCOMING_PREFIX, Multipart, ObjectStat

log = structlog.get_logger(__name__)

STORED_PREFIX = "stored/"
AT_ONCE = 500
# After a failure, and long before anybody asks where the bytes are.
AGAIN_SECONDS = 60
# An object comes before its row's transaction: only what is older than any attempt is an orphan.
ORPHAN_AGE = timedelta(days=2)
# In these nothing leads back to bytes that the row does not name.
WITHOUT_BYTES = (Status.DUPLICATE, Status.REJECTED, Status.EXPIRED, Status.READY, Status.PARTIAL)


def keys_of(document: Document) -> list[str]:
    """Return every key under which bytes of this document may be.

    What was made of them is one prefix: some of it is drawn when somebody looks.
    """
    keys = [document.incoming_key, document.stored_key]
    if document.stored_key and document.sha256:
        keys.append(derived.folder_of(document))
    if document.incoming_key:
        keys.append(document.final_key)
    return sorted({key for key in keys if key})


def dispose(keys: Iterable[str], uploads: Iterable[Multipart] = ()) -> None:
    """Have these objects deleted, and uploads in parts aborted, once the transaction has committed.

    At once, and again when a worker that still held the document has lost it. A key
    that some document names is left alone. One that ends in a slash stands for all below it.
    """
    # Whoever lost a lease stops within seconds; an upload under way within minutes.
    until = Now() + timedelta(seconds=settings.LEASE_SECONDS + settings.UPLOAD_URL_SECONDS)
    wanted = dict.fromkeys(keys, "") | {upload.key: upload.id for upload in uploads}
    rows = [Disposal(key=key, multipart_id=wanted[key], until=until) for key in wanted]
    Disposal.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=("key",),
        update_fields=("multipart_id", "due_at", "until"),
    )
    transaction.on_commit(partial(_delete_all, rows), robust=True)


def work_off() -> int:
    """Delete what is due; return how many objects are gone for good."""
    due = Disposal.objects.filter(due_at__lte=Now()).order_by("due_at")[:AT_ONCE]
    return _delete_all(list(due))


def _delete_all(disposals: Iterable[Disposal]) -> int:
    return sum(_delete(disposal.key, disposal.multipart_id) for disposal in disposals)


def _delete(key: str, multipart_id: str) -> int:
    """Delete one object; return 1 if nothing will come back under its key."""
    faults.point("dispose.before_delete")
    row = Disposal.objects.filter(key=key)
    if not is_named(key):
        storage = get_storage()
        try:
            if multipart_id:
                # Its size and parts are the store's affair by now.
                storage.abort_multipart(Multipart(key, multipart_id, 0, 1))
            for each in _below(key) if key.endswith("/") else [key]:
                storage.delete(each)
        except StorageError as error:
            row.update(due_at=Now() + timedelta(seconds=AGAIN_SECONDS))
            log.warning("disposal_failed", key=key, error=error.detail)
            return 0
    faults.point("dispose.after_delete")
    gone, _ = row.filter(until__lte=Now()).delete()
    if not gone:
        row.update(due_at=F("until"))
    return gone


def _below(prefix: str) -> list[str]:
    return [key for key, _ in get_storage().list(prefix)]


def is_named(key: str) -> bool:
    """Return whether a document says that its bytes, or what was made of them, are there."""
    if key.startswith(DERIVED_PREFIX):
        return not derived.unowned([key])
    return Document.objects.filter(stored_key=key).exists()


class OrphanSweep:
    """A walk through all objects, a window at a time, that disposes of those nobody owns."""

    def __init__(self) -> None:
        self._objects: Iterator[tuple[str, ObjectStat]] = iter(())

    def step(self) -> int:
        """Look at the next window, from the beginning after the end; return how many went."""
        # Gone unless the window is looked at to its end: a walk that broke begins anew.
        objects, self._objects = self._objects, iter(())
        window = list(islice(objects, AT_ONCE))
        if not window:
            storage = get_storage()
            prefixes = (STORED_PREFIX, INCOMING_PREFIX, DERIVED_PREFIX)
            objects = chain.from_iterable(storage.list(prefix) for prefix in prefixes)
            window = list(islice(objects, AT_ONCE))
        oldest_kept = clock.now() - ORPHAN_AGE
        orphans = list(_orphans([key for key, stat in window if _is_older(stat, oldest_kept)]))
        if orphans:
            with transaction.atomic():
                dispose(orphans)
            log.info("orphans_found", n=len(orphans))
        self._objects = objects
        return len(orphans)


def _is_older(stat: ObjectStat, than: datetime) -> bool:
    return stat.modified_at < than


def _orphans(keys: list[str]) -> Iterator[str]:
    """Yield the keys that no document names, and that none can come back to."""
    made = [key for key in keys if key.startswith(DERIVED_PREFIX)]
    yield from derived.unowned(made)
    keys = [key for key in keys if not key.startswith(DERIVED_PREFIX)]
    named = set(Document.objects.filter(stored_key__in=keys).values_list("stored_key", flat=True))
    owners = {key: _owner(key) for key in keys if key not in named}
    documents = Document.objects.filter(id__in=[owner for owner in owners.values() if owner])
    living = set(documents.exclude(status__in=WITHOUT_BYTES).values_list("id", flat=True))
    yield from (key for key, owner in owners.items() if owner not in living)


def _owner(key: str) -> UUID | None:
    """Return the document that a key was made for: the last part of it that is an id."""
    for part in reversed(key.split("/")):
        try:
            return UUID(part)
        except ValueError:
            continue
    return None
