"""Show a page as it looks: find its picture, or draw it while whoever asks waits."""

import time

from django.db import connection

from documents import derived, faults
from documents.derived import CONTENT_TYPE, Derived
from documents.errors import CrashedError, NotFoundError, PermanentError, RateLimitError
from documents.models import Document, PageImage
from documents.services import page_images
from documents.states import Status
from documents.storage import get_storage
from processing import page_drawing
from processing.extraction.limits import MAX_PAGES
from processing.previews import has_pages

WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.1
RETRY_SECONDS = 2
# What broke on this machine may do on another, or later; not at once, whoever insists.
CRASHED_SECONDS = 600


def are_shown(document: Document) -> bool:
    """Return whether pages of the document can be looked at; a duplicate's are its original's."""
    holder = document.duplicate_of or document
    is_hidden = document.status == Status.CANCELLED
    return bool(holder.stored_key) and has_pages(holder.content_type) and not is_hidden


def picture_of(document: Document, number: int) -> str:
    """Return the key of the picture of a page, drawn now if nobody has; numbers begin at 1.

    Raises NotFoundError, with the reason, where there is none and will be none soon, and
    RateLimitError when it was not there in time: it may be drawn already when one asks again.
    """
    holder = document.duplicate_of or document
    _check(document, holder, number)
    if number == 1 and holder.image_width:
        return derived.key_of(holder, Derived.IMAGE, holder.preview_version)
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        image = page_images.find(holder, number)
        key = _shown(image) if image else _drawn(holder, number, deadline)
        if key:
            return key
        _let_others_ask()
        time.sleep(LOOK_SECONDS)
    raise RateLimitError(
        f"The page is not drawn yet. Come back in {RETRY_SECONDS} s.",
        retry_after_seconds=RETRY_SECONDS,
        retry_after=RETRY_SECONDS,
    )


def _check(document: Document, holder: Document, number: int) -> None:
    if not holder.stored_key or document.status == Status.CANCELLED:
        raise NotFoundError("The bytes of this document are not stored.")
    if not has_pages(holder.content_type):
        raise NotFoundError("Only pages of PDF documents and of images can be shown.")
    last = holder.pages or MAX_PAGES
    if not 1 <= number <= last:
        raise NotFoundError(f"There is no page {number}: pages are numbered from 1 to {last}.")


def _shown(image: PageImage) -> str:
    """Return the key of a picture; empty while somebody draws it. Raises NotFoundError."""
    if image.refusal:
        raise NotFoundError(image.refusal)
    if image.key:
        page_images.touch(image)
    return image.key


def _drawn(holder: Document, number: int, deadline: float) -> str | None:
    """Draw the page when its turn comes; None if that takes too long, or somebody else does."""
    _let_others_ask()
    with page_drawing.turn(deadline - time.monotonic()) as is_ours:
        claimed = page_images.claim(holder, number) if is_ours else None
        return _draw(holder, claimed) if claimed is not None else None


def _draw(holder: Document, claimed: PageImage) -> str | None:
    """Draw and store the picture of a claimed page; None if the claim was lost meanwhile."""
    _let_others_ask()
    try:
        key, size_bytes = _stored(holder, claimed)
        return key if page_images.keep(claimed, key, size_bytes) else None
    except NotFoundError:
        page_images.release(claimed)
        raise
    except (PermanentError, CrashedError) as error:
        is_crash = isinstance(error, CrashedError)
        seconds = CRASHED_SECONDS if is_crash else page_images.REFUSED_SECONDS
        page_images.refuse(claimed, error.detail, seconds)
        raise NotFoundError(error.detail) from error
    except Exception:
        page_images.release(claimed)
        raise


def _stored(holder: Document, claimed: PageImage) -> tuple[str, int]:
    storage = get_storage()
    with storage.as_file(holder.stored_key) as path:
        picture = page_drawing.draw(path, holder, claimed.number)
    key = page_images.key_of(claimed, holder)
    faults.point("page.before_store")
    storage.put(key, picture.content, CONTENT_TYPE)
    return key, len(picture.content)


def _let_others_ask() -> None:
    """Give the connection back while this thread waits: a pool serves many of them."""
    if not connection.in_atomic_block:
        connection.close()
