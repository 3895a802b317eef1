"""What pages show, read through the access functions of `documents.selectors`."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import (
    BooleanField,
    CharField,
    ExpressionWrapper,
    F,
    Func,
    Max,
    Q,
    Value,
    Window,
)
from django.db.models.functions import Coalesce, Left, Length, RowNumber
from django.utils import timezone

from dashboard.presentation import RUN_LOOKS, SHOWS, STAGE_LABELS, Look
from documents import progress, selectors
from documents.errors import NotFoundError
from documents.models import FINISHING, Batch, Document, DocumentQuerySet
from documents.paging import Page, paginate
from documents.states import Status
from processing.enrichment import Kind
from processing.models import Entity, PageText, StageRun
from processing.page_images import are_shown
from processing.selectors import PLACE, entities_of

ROWS = 100
PAGES_SHOWN = 10
CHARACTERS_SHOWN = 200_000
A4 = 210, 297
FOLDERS_LISTED = 200
CONTENTS_SHOWN = 50
MENTIONED_OF_A_KIND = 8


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch and how far it is."""

    batch: Batch
    progress: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StageLine:
    """One stage of a document's way, with what it cost and what went wrong."""

    label: str
    look: Look
    attempts: int
    seconds: float | None
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crumb:
    """One folder on the way to a document."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The first documents that were in an archive or a mail, of how many."""

    shown: list[Document]
    total: int

    @property
    def more(self) -> int:
        return self.total - len(self.shown)


@dataclass(frozen=True, slots=True)
class TextWindow:
    """Some pages of a document around the one that was asked for."""

    pages: list[PageText]
    page: int
    total: int

    @property
    def before(self) -> int:
        return max(1, self.page - 1)

    @property
    def after(self) -> int:
        return min(self.total, self.page + 1)

    @property
    def previous(self) -> int | None:
        first = self.pages[0].number if self.pages else 1
        return first - 1 if first > 1 else None

    @property
    def next(self) -> int | None:
        last = self.pages[-1].number if self.pages else self.total
        return last + 1 if last < self.total else None


def recent_batches(user: selectors.User, *, cursor: str = "", limit: int = ROWS) -> Page[Batch]:
    """Return the newest batches; served by `batch_recent`."""
    return paginate(selectors.batches_for(user), ("-created_at", "-id"), cursor=cursor, limit=limit)


def with_progress(batches: list[Batch]) -> list[BatchRow]:
    """Return each batch with its progress; one query for all."""
    found = selectors.progress_of([batch.id for batch in batches])
    return [BatchRow(batch, found[batch.id]) for batch in batches]


def progress_of(batch: Batch) -> dict[str, Any]:
    """Return the Progress object of one batch."""
    return selectors.progress_of([batch.id])[batch.id]


def documents_of_batch(
    user: selectors.User, batch: Batch, *, show: str, folders: bool, cursor: str
) -> Page[Document]:
    """Return documents of one batch, by folder or by path; served by `document_in_batch`."""
    documents = narrowed(selectors.documents_for(user).filter(batch=batch), show)
    order = ("folder", "name", "id") if folders else ("path", "id")
    return paginate(documents.select_related("duplicate_of"), order, cursor=cursor, limit=ROWS)


def library(user: selectors.User, *, show: str, folder: str, cursor: str) -> Page[Document]:
    """Return the newest documents everywhere; served by `document_recent`."""
    documents = narrowed(selectors.documents_for(user), show)
    if folder:
        documents = documents.filter(Q(folder=folder) | Q(folder__startswith=f"{folder}/"))
    return paginate(
        documents.select_related("batch", "duplicate_of"),
        ("-created_at", "-id"),
        cursor=cursor,
        limit=ROWS,
    )


def narrowed(documents: DocumentQuerySet, show: str) -> DocumentQuerySet:
    """Return only documents of the named group of states; all when it is empty.

    What only lacks something optional is with the searchable ones already.
    """
    if show == "working":
        return documents.filter(status__in=SHOWS[show]).exclude(FINISHING)
    if show == "searchable":
        return documents.filter(Q(status__in=SHOWS[show]) | FINISHING)
    return documents.filter(status__in=SHOWS[show]) if show else documents


def top_folders(user: selectors.User) -> list[str]:
    """Return the first segments of all folders, for a choice of them."""
    top = Func(F("folder"), Value("/"), Value(1), function="split_part", output_field=CharField())
    documents = selectors.documents_for(user).exclude(folder="").annotate(top=top)
    return list(documents.order_by("top").values_list("top", flat=True).distinct()[:FOLDERS_LISTED])


def timeline(document: Document) -> list[StageLine]:
    """Return the stages in order with their attempts; a duplicate shows its original's."""
    source = document.duplicate_of or document
    runs = StageRun.objects.filter(document=source, generation=source.generation).prefetch_related(
        "attempts"
    )
    return [_line(run) for run in sorted(runs, key=lambda run: PLACE[run.stage])]


def _line(run: StageRun) -> StageLine:
    attempts = sorted(run.attempts.all(), key=lambda attempt: attempt.n)
    spent = [
        (attempt.ended_at - attempt.started_at).total_seconds()
        for attempt in attempts
        if attempt.ended_at
    ]
    errors = [attempt.error_text for attempt in attempts if attempt.error_text]
    return StageLine(
        label=STAGE_LABELS[run.stage],
        look=RUN_LOOKS[run.state],
        # One that stepped aside for others goes on under its number.
        attempts=len({attempt.n for attempt in attempts}),
        seconds=sum(spent) if spent else None,
        errors=tuple(dict.fromkeys(errors)),
    )


def mentioned(document: Document) -> dict[str, list[Entity]]:
    """Return by kind, in the order of kinds, what the document mentions most; one query."""
    place = Window(RowNumber(), partition_by="kind", order_by=("-count", "value"))
    rows = entities_of(document).annotate(place=place).filter(place__lte=MENTIONED_OF_A_KIND)
    found: dict[str, list[Entity]] = {kind.value: [] for kind in Kind}
    for entity in rows.order_by("kind", "place"):
        found[entity.kind].append(entity)
    return {kind: entities for kind, entities in found.items() if entities}


def crumbs(document: Document) -> list[Crumb]:
    """Return the folders above the document, outermost first.

    The folder that gave the batch its name is left out: the batch stands for it.
    """
    names = document.folder.split("/") if document.folder else []
    found = [Crumb(name, "/".join(names[: at + 1])) for at, name in enumerate(names)]
    return found[1:] if names[:1] == [document.batch.name] else found


def has_bytes(document: Document) -> bool:
    """Return whether there is something to download."""
    holder = document.duplicate_of or document
    return bool(holder.stored_key) and document.status != Status.CANCELLED


def page_shape(document: Document) -> tuple[int, int] | None:
    """Return width and height of what shows a page, in proportion; None where nothing does.

    Those of the first page, which most others share: what is not drawn yet keeps its place.
    """
    if not are_shown(document):
        return None
    holder = document.duplicate_of or document
    return (holder.thumbnail_width, holder.thumbnail_height) if holder.thumbnail_width else A4


def contents(document: Document) -> Contents:
    """Return the first documents that were in an archive or a mail, and how many were."""
    children = selectors.children_of(document)
    return Contents(list(children[:CONTENTS_SHOWN]), children.count())


def duplicates_of(document: Document) -> int:
    """Return how many documents are found through this one."""
    return Document.objects.filter(duplicate_of=document).count()


def empty_progress() -> dict[str, Any]:
    """Return the progress of a batch in which nothing has happened yet."""
    return progress.shown({}, 0, timezone.now())


def text_window(document: Document, page: int) -> TextWindow:
    """Return the pages around `page`; a duplicate shows the text of its original.

    What was cancelled shows nothing, whatever had been read by then.
    """
    source = document.duplicate_of or document
    pages = PageText.objects.filter(document=source, generation=source.live_generation)
    if document.status == Status.CANCELLED:
        pages = pages.none()
    total = pages.aggregate(n=Coalesce(Max("number"), 0))["n"]
    page = max(1, min(page, total))
    first = (page - 1) // PAGES_SHOWN * PAGES_SHOWN + 1
    shown = pages.filter(number__gte=first, number__lt=first + PAGES_SHOWN).order_by("number")
    # A log of fifty megabytes is one page; no browser wants it whole.
    is_cut = ExpressionWrapper(Q(length__gt=CHARACTERS_SHOWN), output_field=BooleanField())
    cut = shown.defer("text").annotate(
        shown=Left("text", CHARACTERS_SHOWN), length=Length("text"), is_cut=is_cut
    )
    return TextWindow(list(cut), page, total)


def parse_id(given: str) -> UUID:
    """Return an id out of an address, or raise NotFoundError."""
    try:
        return UUID(given)
    except ValueError as error:
        raise NotFoundError("There is no such batch.") from error
