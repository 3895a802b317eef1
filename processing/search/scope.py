"""Which chunks a question may see: decided before anything is ranked."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q
from django.db.models.functions import Coalesce

from documents.models import Document, DocumentQuerySet, Workspace
from documents.selectors import User, get_batch_for
from documents.states import Status
from processing.models import Entity
from processing.search.question import Question
from processing.search.results import Coverage
from processing.search.wanted import Wanted

# Neither here nor on their way: nobody expects these to be searched.
GONE = (Status.CANCELLED, Status.EXPIRED, Status.REJECTED)


@dataclass(frozen=True, slots=True)
class Scope:
    """The documents a question is about, and those that hold their text.

    A duplicate has no text of its own: it is found through its original, which
    need not be inside the filters itself. What mentions an entity is known only of what was
    read, so `searched`, which coverage is about, is not narrowed by that.
    """

    workspaces: list[UUID]
    documents: DocumentQuerySet
    searched: DocumentQuerySet
    is_narrowed: bool
    phrases: tuple[str, ...]

    def rows_sql(self) -> tuple[str, list[Any]]:
        """Return a condition on rows `c` about documents, with its parameters.

        Only rows of the live generation of documents whose text is there.
        """
        holders, params = self._holders().values("id", "live_generation").query.sql_with_params()
        # The workspace twice over: the planner knows it of the rows before it joins.
        condition = f"c.workspace_id = any(%s) and (c.document_id, c.generation) in ({holders})"
        return condition, [self.workspaces, *params]

    def chunks_sql(self) -> tuple[str, list[Any]]:
        """Return the same of `processing_chunk c`, whose text has the phrases besides."""
        condition, params = self.rows_sql()
        for phrase in self.phrases:
            # A phrase of nothing but stop words says nothing about any chunk.
            condition += (
                " and (numnode(phraseto_tsquery('english', %s)) = 0"
                " or c.terms @@ phraseto_tsquery('english', %s))"
            )
            params += [phrase, phrase]
        return condition, params

    def shown_for(self, holder_ids: list[UUID]) -> dict[UUID, Document]:
        """Return the document to show for each holder: itself if it is inside the filters."""
        documents = self.documents.annotate(holder=Coalesce("duplicate_of_id", "id"))
        rows = documents.filter(holder__in=holder_ids)
        if not self.is_narrowed:
            rows = documents.filter(id__in=holder_ids)
        ordered = rows.select_related("duplicate_of").order_by(
            F("duplicate_of").asc(nulls_first=True), "path", "id"
        )
        shown: dict[UUID, Document] = {}
        for document in ordered:
            shown.setdefault(document.duplicate_of_id or document.id, document)
        return shown

    def coverage(self) -> Coverage:
        """Count what can be found, of what is here or on its way.

        What failed before it had text is neither. A duplicate fares as its original.
        """
        hopeless = Q(status=Status.FAILED, processed_at=None)
        own = self.searched.aggregate(
            total=Count("id", filter=~hopeless), searchable=Count("processed_at")
        )
        copies = self.searched.filter(duplicate_of__isnull=False)
        copies = copies.exclude(duplicate_of__status=Status.CANCELLED)
        # Apart, because a join for all would read every document of every workspace.
        borrowed = copies.aggregate(
            searchable=Count("id", filter=Q(duplicate_of__processed_at__isnull=False)),
            hopeless=Count(
                "id",
                filter=Q(duplicate_of__status=Status.FAILED, duplicate_of__processed_at=None),
            ),
        )
        return Coverage(
            searchable=own["searchable"] + borrowed["searchable"],
            total=own["total"] - borrowed["hopeless"],
        )

    def _holders(self) -> DocumentQuerySet:
        holders = Document.objects.filter(
            workspace__in=self.workspaces, processed_at__isnull=False
        ).exclude(status=Status.CANCELLED)
        if not self.is_narrowed:
            return holders
        inside = self.documents.annotate(holder=Coalesce("duplicate_of_id", "id"))
        return holders.filter(id__in=inside.values("holder"))


def scope_of(user: User, question: Question, batch_id: UUID | None) -> Scope:
    """Return what `user` may see of what was asked for; NotFoundError for a foreign batch."""
    workspaces = list(
        Workspace.objects.filter(memberships__user=user.pk).values_list("id", flat=True)
    )
    documents = Document.objects.filter(workspace__in=workspaces).exclude(status__in=GONE)
    if batch_id:
        documents = documents.filter(batch=get_batch_for(user, batch_id))
    if question.folder:
        documents = documents.filter(
            Q(folder=question.folder) | Q(folder__startswith=f"{question.folder}/")
        )
    if question.content_type:
        # What was declared stands for the real type until the bytes were looked at.
        documents = documents.filter(_of_type(question.content_type))
    narrowed = documents
    for one in question.entities:
        narrowed = narrowed.filter(_mentions(workspaces, one))
    filters = (batch_id, question.folder, question.content_type, question.entities)
    return Scope(
        workspaces=workspaces,
        documents=narrowed,
        searched=documents,
        is_narrowed=any(filters),
        phrases=question.phrases,
    )


def _mentions(workspaces: list[UUID], one: Wanted) -> Q:
    """Return the documents that mention it, in their live text; served by `entity_in_workspace`."""
    rows = Entity.objects.filter(
        workspace__in=workspaces,
        kind=one.kind,
        value=one.value,
        generation=F("document__live_generation"),
    )
    holders = rows.values("document")
    return Q(id__in=holders) | Q(duplicate_of__in=holders)


def _of_type(wanted: str) -> Q:
    """Return the documents of one of the media types: "text/csv", "image/*,text/html"."""
    condition = Q()
    for name in filter(None, map(str.strip, wanted.lower().split(","))):
        lookup, value = ("startswith", name[:-1]) if name.endswith("/*") else ("exact", name)
        # What was declared stands for the real type until the bytes were looked at.
        condition |= Q(**{f"content_type__{lookup}": value})
        condition |= Q(**{"content_type": "", f"declared_type__{lookup}": value})
    return condition
