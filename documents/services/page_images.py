"""Who draws the picture of a page, where it is kept, and when it goes again.

Drawing takes no lock: whoever claims the row draws, and what is drawn counts only while the
claim is theirs. A process that dies with a claim is waited for until the claim is over.
"""

from datetime import timedelta
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet, Sum, Window
from django.db.models.functions import Now

from documents import derived, faults
from documents.errors import NotFoundError
from documents.models import Document, PageImage
from documents.services import disposal

log = structlog.get_logger(__name__)

# Longer than the child that draws may live, and than storage is waited for.
CLAIM_SECONDS = 90
REFUSED_SECONDS = 24 * 3600
# Often enough to know what is looked at, and seldom enough to cost nothing.
TOUCH_SECONDS = 60
# The redirect to a picture may be remembered for so long, and the picture is kept for longer.
REMEMBERED_SECONDS = 300
SPARED_SECONDS = 2 * REMEMBERED_SECONDS
# What one step of the sweep takes away: the conductor has other duties meanwhile.
AT_ONCE = 100


def find(document: Document, number: int) -> PageImage | None:
    """Return the picture of a page as the document is shown now, its refusal, or who draws it.

    None when it is there to be drawn.
    """
    return _of(document, number).filter(~Q(key="") | Q(taken_until__gt=Now())).first()


def claim(document: Document, number: int) -> PageImage | None:
    """Return the row of a page that the caller is to draw, or None: somebody else does, or did.

    Raises NotFoundError when the document was deleted meanwhile.
    """
    row = PageImage(
        document=document,
        generation=document.live_generation,
        version=derived.VERSION,
        number=number,
    )
    try:
        PageImage.objects.bulk_create([row], ignore_conflicts=True)
    except IntegrityError as error:
        raise NotFoundError("There is no such document.") from error
    token, until = uuid4(), Now() + timedelta(seconds=CLAIM_SECONDS)
    free = _of(document, number).filter(key="", taken_until__lte=Now())
    if not free.update(token=token, taken_until=until, refusal=""):
        return None
    faults.point("page.after_claim")
    return PageImage.objects.filter(token=token).first()


def key_of(image: PageImage, document: Document) -> str:
    """Return where what the claim draws is to be stored."""
    if image.token is None:
        raise ValueError(f"nobody has claimed {image}")
    return derived.key_of(document, derived.page_name(image.number, image.token), image.version)


def keep(image: PageImage, key: str, size_bytes: int) -> bool:
    """Show what was drawn and stored from now on; without the claim, have it deleted again."""
    faults.point("page.before_keep")
    drawn = {"key": key, "size_bytes": size_bytes, "used_at": Now(), "taken_until": Now()}
    if _claimed(image).update(**drawn):
        return True
    disposal.dispose([key])
    return False


def refuse(image: PageImage, reason: str, seconds: int = REFUSED_SECONDS) -> None:
    """Note why there is no picture, so that nobody tries again for a while."""
    _claimed(image).update(refusal=reason, taken_until=Now() + timedelta(seconds=seconds))


def release(image: PageImage) -> None:
    """Give the claim up: the next who asks may draw."""
    _claimed(image).update(taken_until=Now())


def touch(image: PageImage) -> None:
    """Note that somebody looks at it: what nobody does goes first."""
    long_ago = Now() - timedelta(seconds=TOUCH_SECONDS)
    PageImage.objects.filter(id=image.id, used_at__lt=long_ago).update(used_at=Now())


def sweep() -> int:
    """Remove pictures that nothing shows, then those unused for longest beyond the limit.

    In bounded steps; return how many went.
    """
    removed = _remove(_stale()) + _remove(_beyond(settings.PAGE_IMAGES_MAX_BYTES))
    if removed:
        log.info("page_images_swept", n=removed)
    return removed


def _of(document: Document, number: int) -> QuerySet[PageImage]:
    own = {"generation": document.live_generation, "version": derived.VERSION}
    return PageImage.objects.filter(document=document, number=number, **own)


def _claimed(image: PageImage) -> QuerySet[PageImage]:
    return PageImage.objects.filter(id=image.id, token=image.token, key="")


def _stale() -> QuerySet[PageImage]:
    """Return rows of other readings and other ways to draw, and those nobody draws any more."""
    shown = Q(version=derived.VERSION, generation=F("document__live_generation"))
    over = Q(key="", taken_until__lt=Now() - timedelta(seconds=CLAIM_SECONDS))
    return PageImage.objects.filter(~shown | over)


def _beyond(limit_bytes: int) -> QuerySet[PageImage]:
    """Return what is over the limit, by when somebody looked last, and may go by now."""
    drawn = PageImage.objects.exclude(key="")
    if (drawn.aggregate(n=Sum("size_bytes"))["n"] or 0) <= limit_bytes:
        return drawn.none()
    newer = Window(Sum("size_bytes"), order_by=[F("used_at").desc(), F("id").desc()])
    over = drawn.annotate(with_newer=newer).filter(with_newer__gt=limit_bytes)
    oldest = over.order_by("used_at", "id").values_list("id", flat=True)[:AT_ONCE]
    spared = Now() - timedelta(seconds=SPARED_SECONDS)
    return PageImage.objects.filter(id__in=list(oldest), used_at__lt=spared)


@transaction.atomic
def _remove(images: QuerySet[PageImage]) -> int:
    rows = images.order_by("id").select_for_update(skip_locked=True, of=("self",))
    found = list(rows.values_list("id", "key")[:AT_ONCE])
    if found:
        PageImage.objects.filter(id__in=[row for row, _ in found]).delete()
        disposal.dispose(key for _, key in found if key)
        faults.point("pages.before_commit")
    return len(found)
