"""The staff's view of documents: look at everything, act through the same services as the API.

What code owns (states, counts, keys) is read-only here: a form that wrote it
would skip the events and the work that belong to the change.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from documents.errors import SluiceError
from documents.models import (
    ApiToken,
    AuditEntry,
    Batch,
    Disposal,
    Document,
    Event,
    Membership,
    PageImage,
    Stream,
    Workspace,
)
from documents.services import batches, tokens
from documents.services.reprocessing import reprocess

Row = TypeVar("Row", bound=Model)


class ListAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list that stays fast when the table is large."""

    show_full_result_count = False
    list_per_page = 50


class ReadOnlyAdmin(ListAdmin):
    """Rows that only services write; actions need the right to change them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may use the actions."""
        return super().has_change_permission(request)

    def act(self, request: HttpRequest, service: Callable[[], int], did: str) -> None:
        """Call a service and say how many documents it reached, or why it would not."""
        try:
            n = service()
        except SluiceError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return
        level = messages.SUCCESS if n else messages.WARNING
        self.message_user(request, f"{n} {'document' if n == 1 else 'documents'} {did}.", level)


def known_values(name: str, values: Callable[[], Iterable[str]]) -> type[admin.SimpleListFilter]:
    """Make a filter for a field whose values are known: a large table takes seconds to say them."""

    class KnownValuesFilter(admin.SimpleListFilter):
        title = name.replace("_", " ")
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value) for value in values()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Row]) -> QuerySet[Row]:
            return queryset.filter(**{name: self.value()}) if self.value() else queryset

    return KnownValuesFilter


def error_codes(tree: type[SluiceError] = SluiceError) -> list[str]:
    """Return every code of the error tree, by name."""
    codes = {tree.code}.union(*(error_codes(branch) for branch in tree.__subclasses__()))
    return sorted(codes)


@admin.register(Workspace)
class WorkspaceAdmin(ListAdmin):
    list_display = ("name", "used_bytes", "reserved_bytes", "quota_bytes", "weight", "max_inflight")
    search_fields = ("name", "id__startswith")
    readonly_fields = ("id", "used_bytes", "reserved_bytes", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: rows would go and their bytes would stay."""
        return False


@admin.register(Membership)
class MembershipAdmin(ListAdmin):
    list_display = ("user", "workspace", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "workspace")
    search_fields = ("user__username", "workspace__name")
    autocomplete_fields = ("user", "workspace")
    readonly_fields = ("created_at",)


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "workspace", "created_by", "lane", "created_at", "cancelled_at")
    list_filter = ("lane", ("cancelled_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("workspace", "created_by")
    search_fields = ("name", "id__startswith", "workspace__name")
    ordering = ("-created_at", "-id")
    actions = ("retry", "cancel", "resume")

    @admin.action(description="Retry what failed in these batches", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Batch]) -> None:
        documents = Document.objects.filter(batch__in=_ids(queryset))
        self.act(request, lambda: batches.retry(documents, request.user), "will be tried again")

    @admin.action(description="Cancel these batches", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Batch]) -> None:
        self.act(
            request,
            lambda: sum(batches.cancel_batch(batch, request.user) for batch in queryset),
            "cancelled",
        )

    @admin.action(description="Resume these batches", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Batch]) -> None:
        self.act(
            request,
            lambda: sum(batches.resume_batch(batch, request.user) for batch in queryset),
            "resumed",
        )


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("path", "status", "workspace", "batch", "size", "content_type", "error_code")
    list_filter = ("status", known_values("error_code", error_codes), "created_at")
    list_select_related = ("workspace", "batch")
    search_fields = ("path", "id__startswith", "sha256__startswith", "batch__name")
    ordering = ("-created_at", "-id")
    actions = ("retry", "cancel", "reprocess")

    @admin.action(description="Retry these documents", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        documents = Document.objects.filter(id__in=_ids(queryset))
        self.act(request, lambda: batches.retry(documents, request.user), "will be tried again")

    @admin.action(description="Cancel these documents", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        documents = Document.objects.filter(id__in=_ids(queryset))
        self.act(request, lambda: batches.cancel(documents, request.user), "cancelled")

    @admin.action(description="Read these documents anew", permissions=["operate"])
    def reprocess(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        documents = Document.objects.filter(id__in=_ids(queryset))
        self.act(request, lambda: reprocess(documents, request.user), "will be read anew")


@admin.register(PageImage)
class PageImageAdmin(ReadOnlyAdmin):
    list_display = ("document", "number", "generation", "key", "size_bytes", "used_at", "refusal")
    list_select_related = ("document",)
    search_fields = ("document__path", "document__id__startswith")
    ordering = ("-id",)


@admin.register(Disposal)
class DisposalAdmin(ReadOnlyAdmin):
    list_display = ("key", "created_at", "due_at", "until")
    search_fields = ("key",)
    ordering = ("due_at", "key")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "prefix", "user", "created_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    ordering = ("-created_at",)
    # Nobody needs the digest, and whoever reads over a shoulder should not get it.
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(description="Revoke these tokens", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        n = tokens.revoke(ApiToken.objects.filter(id__in=_ids(queryset)))
        self.message_user(request, f"{n} {'token' if n == 1 else 'tokens'} revoked.")


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("id", "stream", "number", "kind", "created_at")
    list_filter = (known_values("kind", lambda: ("documents", "processed", "stage", "deleted")),)
    search_fields = ("stream",)
    ordering = ("-id",)


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ("name", "number", "updated_at")
    search_fields = ("name",)
    ordering = ("-updated_at", "name")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "workspace", "action", "count")
    list_filter = ("action", "at")
    list_select_related = ("actor", "workspace")
    search_fields = ("action", "actor__username", "workspace__name")
    ordering = ("-at", "-id")

    @admin.display(description="Documents")
    def count(self, entry: AuditEntry) -> Any:
        return entry.details.get("count")


def _ids(queryset: QuerySet[Row]) -> Any:
    """Return the chosen rows as a plain subquery, without the list's joins and order."""
    return queryset.order_by().values("pk")
