"""Make documents of what is in an archive or attached to a mail, by the services a browser uses.

Everything is listed first, which inflates all of it once and holds it to the limits; then
registered; then unpacked in steps that the worker's disk has room for, stored and completed.
A member's client key follows from its archive and its path, so that another attempt, or
another reading of the archive, sends only what is missing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Sum

from documents import faults, paths
from documents.errors import (
    InvalidPathError,
    QuotaExceededError,
    SluiceError,
    TooComplexError,
    TransientError,
)
from documents.folders import Refused
from documents.models import Batch, Document
from documents.services import arrivals, uploads
from documents.services.delivery import Sending, deliver
from documents.services.uploads import MAX_WINDOW, Declaration
from documents.states import Status
from processing import reading
from processing.extraction import Extraction
from processing.extraction.entries import Allowed
from processing.extraction.members import Contents, Member
from processing.listing import Listing, with_note
from processing.sandbox import open_left
from processing.stage import Held

# So many small members are unpacked at once: each is an entry in a directory.
STEP_MEMBERS = 2_000
T = TypeVar("T")
_KEY = re.compile(r"([0-9a-f]{32}):(\d+):[0-9a-f]{32}:")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an archive comes from: the one that was dropped, and how deep in it this one is."""

    root: str
    depth: int

    @classmethod
    def of(cls, document: Document) -> "Origin":
        """Read it from the client key, which says so of every member of an archive."""
        found = _KEY.match(document.client_key)
        return cls(found[1], int(found[2])) if found else cls(document.id.hex, 0)

    def key(self, archive: UUID, path: str) -> str:
        """Return the client key of a member; with the path it fits into the column."""
        return f"{self.root}:{self.depth + 1}:{archive.hex}:{path}"


@dataclass(slots=True)
class Work:
    """What unpacking one archive needs to know, and what came of it so far."""

    document: Document
    batch: Batch
    held: Held
    path: Path
    allowed: Allowed
    listing: Listing
    # By id: as many whole documents would fill the memory, and they may change meanwhile.
    waiting: list[tuple[UUID, Member]] = field(default_factory=list)
    trouble: SluiceError | None = None


def unpack(path: Path, document: Document, held: Held) -> Extraction:
    """Have every member taken in; return the archive's own text, which tells what was in it.

    Raises QuotaExceededError or TooComplexError when not all of it may come in; what was
    registered until then is complete.
    """
    origin = Origin.of(document)
    if origin.depth >= settings.ARCHIVE_MAX_DEPTH:
        raise TooComplexError(
            f"{document.name} is an archive within {origin.depth} others, and archives are "
            f"unpacked {settings.ARCHIVE_MAX_DEPTH} deep."
        )
    return _take_in(path, document, origin, held).as_extraction()


def detach(path: Path, document: Document, mail: Extraction, held: Held) -> Extraction:
    """Have what is attached to a mail taken in; return its text, with what could not be.

    A mail too deep in others is read all the same, and says that this is left. Raises like
    `unpack`.
    """
    origin = Origin.of(document)
    if origin.depth >= settings.ARCHIVE_MAX_DEPTH:
        return with_note(
            mail,
            f"What is attached was not unpacked: that is done {settings.ARCHIVE_MAX_DEPTH} deep.",
        )
    return _take_in(path, document, origin, held).added_to(mail)


def _take_in(path: Path, document: Document, origin: Origin, held: Held) -> Listing:
    batch = Batch.objects.select_related("workspace").get(id=document.batch_id)
    allowed = _allowed(batch)
    contents = reading.list_members(path, document, allowed, held)
    work = Work(document, batch, held, path, allowed, Listing(document.name, contents))
    _register(work, origin, _declared(work, origin, contents))
    _send(work)
    if work.trouble is not None:
        raise work.trouble
    faults.point("unpack.before_listing")
    return work.listing


def _allowed(batch: Batch) -> Allowed:
    return Allowed(
        entries=settings.ARCHIVE_MAX_ENTRIES,
        total_bytes=settings.ARCHIVE_MAX_BYTES,
        member_bytes=batch.workspace.max_document_bytes,
        ratio=settings.ARCHIVE_MAX_RATIO,
    )


def _declared(
    work: Work, origin: Origin, contents: Contents
) -> Iterator[tuple[Declaration, Member]]:
    """Yield what can be registered, and have the listing tell the rest."""
    at_paths: dict[str, set[str]] = {}
    for member in contents.members:
        try:
            path = paths.normalise(f"{work.document.path}/{member.path}")
        except InvalidPathError as error:
            work.listing.refuse(member.path, error.detail)
            continue
        inner = path.removeprefix(f"{work.document.path}/")
        hashes = at_paths.setdefault(inner, set())
        if member.sha256 in hashes:
            work.listing.repeat(inner)
            continue
        # Other bytes under the same name are another document, beside the first.
        suffix = f" {member.sha256[:8]}" if hashes else ""
        hashes.add(member.sha256)
        key = origin.key(work.document.id, inner + suffix)
        parent_id = work.document.id
        yield Declaration(key, path, member.size, member.sha256, parent_id=parent_id), member


def _register(work: Work, origin: Origin, declared: Iterator[tuple[Declaration, Member]]) -> None:
    """Register everything, so that all of it is seen before the first byte moves."""
    for window in _windows(declared):
        work.held.check()
        faults.point("unpack.before_register")
        try:
            _register_window(work, origin, window)
        except (QuotaExceededError, TooComplexError) as error:
            # What is registered goes on; the archive itself can be retried.
            work.trouble = error
            return


def _register_window(
    work: Work, origin: Origin, window: Sequence[tuple[Declaration, Member]]
) -> None:
    keys = [declaration.client_key for declaration, _ in window]
    known = Document.objects.filter(batch=work.batch, client_key__in=keys)
    known_ids = {document.client_key: document.id for document in known}
    _check_share(work, origin, [one for one, _ in window if one.client_key not in known_ids])
    answer = uploads.enlist(work.batch, [declaration for declaration, _ in window])
    for refusal in answer.refusals:
        work.listing.refuse(refusal.path, refusal.error.detail)
    members = {declaration.client_key: member for declaration, member in window}
    documents = [upload.document for upload in answer.uploads]
    work.listing.take([members[document.client_key] for document in documents])
    awaiting = [document for document in documents if document.status == Status.AWAITING]
    # An earlier attempt may have stored some and have ended before it said so.
    arrived = _arrived(work.batch, [each.id for each in awaiting if each.id in known_ids.values()])
    work.waiting += [
        (document.id, members[document.client_key])
        for document in awaiting
        if document.id not in arrived
    ]


def _arrived(batch: Batch, document_ids: list[UUID]) -> set[UUID]:
    """Complete those whose bytes are in the store; return them."""
    if not document_ids:
        return set()
    completed, _ = arrivals.complete(batch, document_ids)
    return {each.id for each in completed if each.status != Status.AWAITING}


def _check_share(work: Work, origin: Origin, fresh: list[Declaration]) -> None:
    """Hold what is dropped as one archive to the limits of one, with all the archives in it."""
    tree = Document.objects.filter(batch=work.batch, client_key__startswith=f"{origin.root}:")
    there = tree.aggregate(n=Count("id"), bytes=Sum("size", default=0))
    n = there["n"] + len(fresh)
    n_bytes = there["bytes"] + sum(declaration.size for declaration in fresh)
    if n > settings.ARCHIVE_MAX_ENTRIES or n_bytes > settings.ARCHIVE_MAX_BYTES:
        raise TooComplexError(
            f"{work.document.name} and the archives around and in it hold more than "
            f"{settings.ARCHIVE_MAX_ENTRIES:,} documents or "
            f"{settings.ARCHIVE_MAX_BYTES // 1024**2} MiB."
        )


def _send(work: Work) -> None:
    """Unpack, store and complete what is waited for, step by step."""
    for step in _steps(work.waiting):
        work.held.check()
        sizes = {member.number: member.size for _, member in step}
        with reading.unpacked(
            work.path, work.document, sizes, work.allowed, work.held
        ) as directory:
            faults.point("unpack.before_deliver")
            for window in _windows(iter(step)):
                _deliver(work, directory, window)
        faults.point("unpack.after_deliver")


def _deliver(work: Work, directory: Path, window: Sequence[tuple[UUID, Member]]) -> None:
    documents = Document.objects.in_bulk([document_id for document_id, _ in window])
    sendings = [
        Sending(documents[document_id], _opener(directory / str(member.number), member.size))
        for document_id, member in window
        # Somebody may have deleted it since.
        if document_id in documents
    ]
    for outcome in deliver(work.batch, sendings):
        work.held.check()
        if isinstance(outcome, Refused):
            work.listing.refuse(outcome.path, outcome.error.detail)


def _opener(path: Path, size: int) -> Callable[[], BinaryIO]:
    return partial(_open, path, size)


def _open(path: Path, size: int) -> BinaryIO:
    try:
        return open_left(path, size)
    except OSError as error:
        lost = "What was unpacked was lost."
        raise TransientError(lost, retry_after_seconds=1, cause=str(error)) from error


def _windows(entries: Iterator[T]) -> Iterator[list[T]]:
    while window := list(islice(entries, MAX_WINDOW)):
        yield window


def _steps(
    waiting: Sequence[tuple[UUID, Member]],
) -> Iterator[list[tuple[UUID, Member]]]:
    """Yield as much as may be unpacked at once: a step's bytes, or one member that has more."""
    step: list[tuple[UUID, Member]] = []
    n_bytes = 0
    for document_id, member in waiting:
        if step and (
            n_bytes + member.size > settings.ARCHIVE_STEP_BYTES or len(step) == STEP_MEMBERS
        ):
            yield step
            step, n_bytes = [], 0
        step.append((document_id, member))
        n_bytes += member.size
    if step:
        yield step
