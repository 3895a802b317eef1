"""Verify: read the arrived bytes once, and keep them where no URL can write.

Reads the incoming object. Writes the final object, and the document's real
size, SHA-256 and type. Fails with SizeMismatchError, HashMismatchError, InfectedError,
TypeRefusedError, ObjectMissingError (permanent), StorageError and ScannerError (transient).
"""

import hashlib
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from documents import faults, kinds
from documents.errors import (
    HashMismatchError,
    ObjectMissingError,
    SizeMismatchError,
    StorageError,
    TransientError,
    TypeRefusedError,
)
from documents.models import Document
from documents.services import disposal, quota
from documents.services.moves import move
from documents.services.revival import revive
from documents.states import Status
from documents.storage import get_storage
from processing import reading
from processing.models import StageName
from processing.stage import Held, Stage, Write, one_by_one
from processing.virus_scan import scan

READ_BYTES = 1024 * 1024


def run(document: Document, held: Held) -> Write:
    """Check the bytes and copy them to their final key; the copy may be made twice."""
    storage = get_storage()
    stat = storage.stat(document.incoming_key)
    stored_key = document.final_key
    if stat is None and storage.stat(stored_key) is None:
        raise ObjectMissingError(f"The bytes of {document.path} are gone; upload it again.")
    # An earlier attempt may have promoted the object and died before its transaction.
    source = document.incoming_key if stat is not None else stored_key
    try:
        with storage.as_file(source) as path:
            sha256 = _check_bytes(document, path)
            held.check()
            if settings.CLAMD_URL:
                scan(path, settings.CLAMD_URL, settings.CLAMD_SECONDS, held.check)
            content_type = reading.detect(path, document, held)
    except ObjectMissingError as error:
        # Promoted by a worker that lost its lease to us: the next attempt finds it there.
        raise StorageError(f"{document.path} was moved while it was read.") from error
    if not reading.is_supported(content_type):
        raise TypeRefusedError(
            f"{document.name} is {_named(content_type)}, which cannot be read.",
            content_type=content_type,
        )
    kinds.check_type(document.name, content_type, document.workspace.accepted_kinds)
    held.check()
    faults.point("verify.before_promote")
    if stat is not None:
        storage.promote(document.incoming_key, stored_key, if_etag=stat.etag)
    faults.point("verify.after_promote")
    return Verified(stored_key, sha256, content_type)


class Verified:
    """Write what verify found: the document is the original of its bytes, or a duplicate."""

    def __init__(self, stored_key: str, sha256: str, content_type: str) -> None:
        self.stored_key = stored_key
        self.found = {"sha256": sha256, "content_type": content_type}

    def __call__(self, document: Document) -> bool:
        """Return whether this document's own bytes go on through the pipeline."""
        documents = Document.objects.filter(id=document.id)
        try:
            with transaction.atomic():
                documents.update(stored_key=self.stored_key, **self.found)
        except IntegrityError:
            return self._be_duplicate(document)
        quota.use([document.id])
        move(documents, Status.PROCESSING)
        faults.point("verify.before_commit")
        return True

    def _be_duplicate(self, document: Document) -> bool:
        original = (
            Document.objects.filter(workspace_id=document.workspace_id, sha256=self.found["sha256"])
            .exclude(stored_key="")
            .select_for_update(of=("self",), no_key=True)
            .first()
        )
        if original is None:
            # It was deleted while we waited for it: the next attempt finds its heir, or nobody.
            raise TransientError(
                f"The original of {document.path} was deleted meanwhile.", retry_after_seconds=1
            )
        revive([original.id])
        quota.release([document.id])
        move(
            Document.objects.filter(id=document.id),
            Status.DUPLICATE,
            duplicate_of=original,
            **self.found,
        )
        # After commit: if this transaction is lost, the next attempt needs the copy.
        disposal.dispose([self.stored_key])
        return False


def _check_bytes(document: Document, path: Path) -> str:
    """Return the SHA-256 of the bytes, or raise what differs from the declaration."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
            size += len(block)
    if size != document.size:
        raise SizeMismatchError(f"{document.path} has {size} bytes; {document.size} were declared.")
    if document.declared_sha256 and digest.hexdigest() != document.declared_sha256:
        raise HashMismatchError(f"The bytes of {document.path} are not those that were declared.")
    return digest.hexdigest()


def _named(content_type: str) -> str:
    if content_type == "application/octet-stream":
        return "no known type of document"
    return f"of type {content_type}"


stage = Stage(StageName.VERIFY, one_by_one(run))
