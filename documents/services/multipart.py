"""Large documents in parts: begun when somebody first asks where to send them, and resumed.

Which parts are there only the store says: who asks again is told what is missing, from
whatever device, and nothing is lost by a restart of ours. Storage is never asked within
a transaction.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from documents import clock, faults
from documents.errors import AlreadyStoredError, ObjectMissingError
from documents.models import Document
from documents.states import Status
from documents.storage import get_storage
from documents.storage.interface import MAX_PARTS, Multipart, Part, PresignedPut

MIB = 1024**2
# So many parts are signed at once for a document, and for all documents of a window.
PARTS_AT_ONCE = 100
PARTS_PER_WINDOW = 1000
DEFAULT_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class SignedParts:
    """Where to send the next missing parts, by number, and which are there already."""

    part_size: int
    parts: dict[int, PresignedPut]
    done: Sequence[int]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class GivenPart:
    """A part as a client says that it was stored."""

    number: int
    etag: str


def is_large(document: Document) -> bool:
    """Tell whether the document is sent in parts."""
    return bool(document.multipart_id) or document.size > settings.MULTIPART_BYTES


def sign(document: Document, *, at_most: int = PARTS_AT_ONCE) -> SignedParts | None:
    """Return where to send the next missing parts; None if the bytes are awaited no more."""
    upload = document.multipart
    done = _held(document, upload) if upload is not None else None
    if upload is None or done is None:
        upload, done = _begin(document), ()
    if upload is None:
        return _sign_anew(document, at_most=at_most)
    missing = [number for number in range(1, upload.part_count + 1) if number not in done]
    seconds = settings.UPLOAD_URL_SECONDS
    until = clock.now() + timedelta(seconds=seconds)
    storage = get_storage()
    parts = {
        number: storage.presign_part(upload, number, expires_seconds=seconds)
        for number in missing[:at_most]
    }
    expires_at = min([put.expires_at for put in parts.values()], default=until)
    return SignedParts(upload.part_size, parts, sorted(done), expires_at)


def assemble(document: Document, given: Sequence[GivenPart] = ()) -> None:
    """Have the store put the parts together, once all are there; safe to repeat.

    Raises ObjectMissingError if parts are missing or are others than given. Whether there
    is an object now its reader sees: an earlier call may have been cut off after the store.
    """
    upload = document.multipart
    if upload is None:
        return
    storage = get_storage()
    try:
        parts = storage.list_parts(upload)
    except ObjectMissingError:
        return  # Put together before, or swept.
    _check_parts(document, upload, parts, given)
    faults.point("multipart.before_complete")
    # Somebody else was quicker: what they made is looked at like what we make.
    with suppress(ObjectMissingError, AlreadyStoredError):
        storage.complete_multipart(upload, parts)
    faults.point("multipart.after_complete")


def _held(document: Document, upload: Multipart) -> Collection[int] | None:
    """Return the numbers of the parts that are there, or None if the store gave them up."""
    storage = get_storage()
    try:
        return _whole_parts(upload, storage.list_parts(upload))
    except ObjectMissingError:
        # Put together, and whoever did it could not say so any more.
        there = storage.stat(document.incoming_key) is not None
        return range(1, upload.part_count + 1) if there else None


def _begin(document: Document) -> Multipart | None:
    """Begin an upload in the store and note it; None if somebody else was first."""
    storage = get_storage()
    upload = storage.begin_multipart(
        document.incoming_key,
        size=document.size,
        part_size=part_size_for(document.size),
        content_type=document.declared_type or DEFAULT_TYPE,
    )
    faults.point("multipart.after_begin")
    # What was begun before, if anything, is nothing any more: only its name is there.
    noted = Document.objects.filter(
        id=document.id,
        status=Status.AWAITING,
        incoming_key=document.incoming_key,
        multipart_id=document.multipart_id,
    ).update(multipart_id=upload.id, part_bytes=upload.part_size)
    faults.point("multipart.after_update")
    if noted:
        return upload
    storage.abort_multipart(upload)
    return None


def _sign_anew(document: Document, *, at_most: int) -> SignedParts | None:
    """Sign what somebody else began, as it stands now."""
    awaited = Document.objects.filter(id=document.id, status=Status.AWAITING).first()
    return sign(awaited, at_most=at_most) if awaited is not None else None


def part_size_for(size: int) -> int:
    """Return the usual size of a part, or as many MiB as MAX_PARTS of them need."""
    needed = -(-size // MAX_PARTS)
    usual: int = settings.PART_BYTES
    return usual if needed <= usual else -(-needed // MIB) * MIB


def _whole_parts(upload: Multipart, parts: Sequence[Part]) -> set[int]:
    """Return the numbers of the parts that are there at their length."""
    return {
        part.number
        for part in parts
        if part.number <= upload.part_count and part.size == upload.length(part.number)
    }


def _check_parts(
    document: Document, upload: Multipart, parts: Sequence[Part], given: Sequence[GivenPart]
) -> None:
    n_there = len(_whole_parts(upload, parts))
    if n_there < upload.part_count:
        raise ObjectMissingError(
            f"{upload.part_count - n_there} of the {upload.part_count} parts of {document.path} "
            "have not arrived yet."
        )
    etags = {part.number: part.etag for part in parts}
    for part in given:
        if etags.get(part.number) != part.etag.strip('"'):
            raise ObjectMissingError(
                f"Part {part.number} of {document.path} is not the one that was named."
            )
