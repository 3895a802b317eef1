"""The small images that are made from documents: where they lie, and the URLs that show them.

Their keys follow from the workspace and the hash of the original, so whoever draws them
again replaces them, a duplicate shares them, and what nobody's bytes lead to is an orphan.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings

from documents.errors import NotFoundError
from documents.models import Document, PageImage
from documents.states import Status
from documents.storage import get_storage
from documents.storage.interface import DERIVED_PREFIX

CONTENT_TYPE = "image/webp"
# Counted up when they are drawn otherwise; what was drawn before is shown until then.
VERSION = 1
# The redirect to a URL is forgotten before the URL runs out.
MARGIN_SECONDS = 60
_PAGE = "page-"


class Derived(StrEnum):
    """What is made of a document when it comes in."""

    THUMBNAIL = "thumbnail"
    # Of images only: the whole picture, as large as a screen.
    IMAGE = "image"


def folder_of(document: Document) -> str:
    """Return the prefix of the keys of everything that is made of these bytes."""
    return f"{DERIVED_PREFIX}{document.workspace_id}/{document.sha256}/"


def key_of(document: Document, name: str, version: int = VERSION) -> str:
    """Return where one of its images is; pages have names of their own."""
    return f"{folder_of(document)}{name}-{version}.webp"


def page_name(number: int, token: UUID) -> str:
    """Return the name of a picture of a page; the token tells drawings of it apart."""
    return f"{_PAGE}{number}-{token.hex}"


def signed_url(document: Document, what: Derived) -> str:
    """Return a URL that shows the image for a while; NotFoundError when there is none."""
    holder = holder_of(document)
    if holder is None or not (what == Derived.THUMBNAIL or holder.image_width):
        raise NotFoundError("There is no such picture of this document.")
    return sign(key_of(holder, what, holder.preview_version), f"{what}.webp")


def sign(key: str, filename: str) -> str:
    """Return a short-lived URL of a derived image, shown in place."""
    return get_storage().presign_get(
        key,
        filename=filename,
        content_type=CONTENT_TYPE,
        expires_seconds=settings.PREVIEW_URL_SECONDS,
        inline=True,
    )


def holder_of(document: Document) -> Document | None:
    """Return the document whose images these are, if it has any and they may be seen."""
    holder = document.duplicate_of or document
    is_hidden = document.status == Status.CANCELLED
    return holder if holder.preview_version and holder.stored_key and not is_hidden else None


def thumbnail_json(document: Document) -> dict[str, Any] | None:
    """Return how a thumbnail looks, to keep its place with; None when there is none."""
    holder = holder_of(document)
    if holder is None:
        return None
    return {
        "url": thumbnail_path(document.id),
        "width": holder.thumbnail_width,
        "height": holder.thumbnail_height,
        "placeholder": holder.placeholder,
    }


def thumbnail_path(document_id: UUID) -> str:
    """Return the address that redirects to the thumbnail."""
    return f"/api/v1/documents/{document_id}/thumbnail"


def unowned(keys: Iterable[str]) -> list[str]:
    """Return those of these keys, or prefixes of keys, whose bytes no document has stored.

    Nor is an image owned that its document does not show any more, or that of a page which no
    row names.
    """
    owners = {key: _owner(key) for key in keys}
    named = set(PageImage.objects.filter(key__in=list(owners)).values_list("key", flat=True))
    hashes = {sha256 for _, sha256 in owners.values()}
    stored = Document.objects.filter(sha256__in=hashes).exclude(stored_key="")
    shown = {
        (str(workspace), sha256): {VERSION, version}
        for workspace, sha256, version in stored.values_list(
            "workspace_id", "sha256", "preview_version"
        )
    }
    return [
        key
        for key, owner in owners.items()
        if (_is_page(key) and key not in named) or not _is_shown(key, shown.get(owner))
    ]


def _owner(key: str) -> tuple[str, str]:
    workspace, _, rest = key.removeprefix(DERIVED_PREFIX).partition("/")
    return workspace, rest.partition("/")[0]


def _is_page(key: str) -> bool:
    return key.rpartition("/")[2].startswith(_PAGE)


def _is_shown(key: str, versions: set[int] | None) -> bool:
    if versions is None or key.endswith("/"):
        return versions is not None
    return key.endswith(tuple(f"-{version}.webp" for version in versions))
