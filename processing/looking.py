"""Have images looked at that the model of today has not seen: it was set later, or is another."""

from collections.abc import Iterator

from django.db.models import Exists, F, OuterRef

from documents.models import Document, DocumentQuerySet
from documents.states import Status
from processing import jobs
from processing.extraction import media_types
from processing.models import ImageVector, StageName

AT_ONCE = 200


def look_at(model: str) -> Iterator[int]:
    """Set up the work on every image without a vector of this model; yield how many at a time.

    In steps, each a transaction of its own: it may stop anywhere and be run again.
    """
    unseen = _unseen(model).order_by("id").values_list("id", flat=True)
    ids = list(unseen[:AT_ONCE])
    while ids:
        yield jobs.repeat(ids, StageName.LOOK)
        # Behind the last: what cannot be looked at must not come again for ever.
        ids = list(unseen.filter(id__gt=ids[-1])[:AT_ONCE])


def _unseen(model: str) -> DocumentQuerySet:
    seen = ImageVector.objects.filter(
        document=OuterRef("id"), generation=OuterRef("generation"), model=model
    )
    return Document.objects.filter(
        status__in=(Status.READY, Status.PARTIAL),
        content_type__in=media_types.IMAGES,
        live_generation=F("generation"),
    ).exclude(Exists(seen))
