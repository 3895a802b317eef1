"""Hand the bytes of an original, and all that was made of them, to one of its duplicates."""

import re
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from documents import signals
from documents.models import Document, PageImage
from documents.services.moves import move
from documents.services.uploads import incoming_key
from documents.states import Status

# What follows from the bytes, and how far the work on them is.
TAKEN = (
    *("stored_key", "sha256", "content_type", "processed_at", "embedded_at"),
    *("pages", "title", "language", "metadata"),
    *("preview_version", "placeholder"),
    *("thumbnail_width", "thumbnail_height", "image_width", "image_height"),
    *("error_code", "error_detail", "error_stage", "retry_at"),
)


def heir_of(original: Document, *, besides: set[UUID] | None = None) -> Document | None:
    """Return the oldest duplicate of a locked original that can take its place, locked."""
    duplicates = Document.objects.filter(duplicate_of=original, status=Status.DUPLICATE)
    return (
        duplicates.exclude(id__in=besides or ())
        .order_by("created_at", "id")
        .select_for_update(of=("self",), no_key=True)
        .first()
    )


@transaction.atomic
def succeed(original: Document, heir: Document) -> None:
    """Make the heir the original, as far as the original was; the other duplicates are its own.

    The original must be locked, and steps back or is deleted in the same transaction. Not a
    byte moves, so the quota stays as it is.
    """
    taken: dict[str, Any] = {name: getattr(original, name) for name in TAKEN}
    taken["error_detail"] = renamed(original.error_detail, original, heir)
    # Generations go on counting: the heir may have had work of its own.
    taken["generation"] = original.generation + heir.generation
    taken["live_generation"] = original.live_generation + heir.generation
    # First, because a workspace has one stored copy of the same bytes.
    Document.objects.filter(id=original.id).update(stored_key="")
    move(Document.objects.filter(id=heir.id), Status(original.status), duplicate_of=None, **taken)
    others = Document.objects.filter(duplicate_of=original).exclude(id=heir.id)
    others.update(duplicate_of=heir)
    # The pictures lie where they lay, by the hash of the bytes.
    pages = PageImage.objects.filter(document=original)
    pages.update(document=heir, generation=F("generation") + heir.generation)
    signals.document_succeeded.send(Document, original=original, heir=heir)


def step_back(original: Document, heir: Document) -> None:
    """Cancel an original that was succeeded: a resume makes it a duplicate of its heir."""
    nothing = {"processed_at": None, "embedded_at": None, "pages": None, "preview_version": 0}
    bereft: dict[str, Any] = {**nothing, **_without_bytes(original), "duplicate_of": heir}
    move(Document.objects.filter(id=original.id), Status.CANCELLED, **bereft)


def release_copies(original: Document) -> None:
    """Have cancelled duplicates of what is deleted wait for their own bytes once resumed."""
    for copy in Document.objects.filter(duplicate_of=original):
        Document.objects.filter(id=copy.id).update(duplicate_of=None, **_without_bytes(copy))


def _without_bytes(document: Document) -> dict[str, Any]:
    return {"uploaded_at": None, "incoming_key": incoming_key(document.id)}


def renamed(text: str, original: Document, heir: Document) -> str:
    """Return a sentence about the original as one about its heir."""
    for old, new in ((original.path, heir.path), (original.name, heir.name)):
        # As it stands: a name may look like a reference to a group.
        replacement = new.replace("\\", r"\\")
        text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", replacement, text)
    return text
