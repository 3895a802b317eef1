"""The staff's view of the work: every job, run, attempt, text and worker, to be read.

What moves them are the actions on documents and batches, and the work itself.
"""

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from documents.admin import ReadOnlyAdmin, error_codes, known_values
from processing.enrichment import Kind
from processing.models import (
    Chunk,
    Entity,
    ImageVector,
    IngestJob,
    PageText,
    ScanSlice,
    StageAttempt,
    StageRun,
    Worker,
)

# Its admin marks what messages say as safe HTML, and it has no rows here: the
# middleware that writes them is left out.
_task = apps.get_model("django_dramatiq", "Task")
if admin.site.is_registered(_task):
    admin.site.unregister(_task)


@admin.register(IngestJob)
class IngestJobAdmin(ReadOnlyAdmin):
    list_display = ("id", "document", "generation", "lane", "workspace", "created_at")
    list_filter = (known_values("lane", lambda: ("interactive", "bulk")), "created_at")
    list_select_related = ("document", "workspace")
    search_fields = ("document__path", "id__startswith", "document__id__startswith")
    ordering = ("-created_at", "-id")


@admin.register(StageRun)
class StageRunAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "stage",
        "state",
        "document",
        "attempt",
        "crashes",
        "run_at",
        "error_code",
    )
    list_filter = ("stage", "state", known_values("error_code", error_codes))
    list_select_related = ("document",)
    search_fields = ("document__path", "document__id__startswith", "error_text")
    ordering = ("-id",)


@admin.register(StageAttempt)
class StageAttemptAdmin(ReadOnlyAdmin):
    list_display = ("run", "n", "outcome", "error_code", "started_at", "ended_at", "worker")
    list_filter = (
        known_values("outcome", lambda: StageAttempt.Outcome.values),
        known_values("error_code", error_codes),
        "run__stage",
    )
    list_select_related = ("run",)
    search_fields = ("run__document__path", "worker__startswith", "error_text")
    ordering = ("-id",)


@admin.register(PageText)
class PageTextAdmin(ReadOnlyAdmin):
    list_display = ("document", "number", "generation")
    list_select_related = ("document",)
    search_fields = ("document__path", "document__id__startswith")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PageText]:
        """Leave the texts of a whole list in the database."""
        return super().get_queryset(request).defer("text")


@admin.register(ScanSlice)
class ScanSliceAdmin(ReadOnlyAdmin):
    list_display = ("document", "seconds", "generation")
    list_select_related = ("document",)
    search_fields = ("document__path", "document__id__startswith")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScanSlice]:
        """Leave the texts of a whole list in the database."""
        return super().get_queryset(request).defer("readings")


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyAdmin):
    list_display = ("document", "ordinal", "page", "heading", "generation", "model")
    list_select_related = ("document",)
    search_fields = ("document__path", "document__id__startswith", "heading")
    ordering = ("-id",)
    # Hundreds of numbers and stems that say nothing to a person.
    exclude = ("embedding", "terms")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Chunk]:
        """Leave the texts and vectors of a whole list in the database."""
        return super().get_queryset(request).defer("text", "embedding", "terms")


@admin.register(Entity)
class EntityAdmin(ReadOnlyAdmin):
    list_display = ("kind", "text", "count", "document", "generation")
    list_filter = (known_values("kind", lambda: tuple(Kind)),)
    list_select_related = ("document",)
    search_fields = ("value", "document__path", "document__id__startswith")
    ordering = ("-id",)


@admin.register(ImageVector)
class ImageVectorAdmin(ReadOnlyAdmin):
    list_display = ("document", "generation", "model")
    list_select_related = ("document",)
    search_fields = ("document__path", "document__id__startswith", "model")
    ordering = ("-id",)
    exclude = ("embedding",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImageVector]:
        """Leave the vectors of a whole list in the database."""
        return super().get_queryset(request).defer("embedding")


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ("host", "pid", "kind", "is_leader", "seen_at", "stopped_at", "rss_bytes")
    list_filter = ("kind", "is_leader", ("stopped_at", admin.EmptyFieldListFilter))
    search_fields = ("host", "id__startswith")
    ordering = ("-seen_at", "id")
