"""The API of what processing made as OpenAPI tells it; nothing here runs in a request."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from documents.event_schema import Failure
from documents.schema import PAGING, listing, operation, picture, query, whole
from documents.states import Status
from processing.enrichment import Kind
from processing.models import StageName
from processing.previews.raster import PAGE_SIDE
from processing.search import DEFAULT_LIMIT, Mode
from processing.search.question import MAX_LIMIT, MAX_QUESTION

KINDS = [(kind.value, kind.value) for kind in Kind]


class PageText(serializers.Serializer[Any]):
    page = serializers.IntegerField()
    text = serializers.CharField(allow_blank=True)


class DocumentText(serializers.Serializer[Any]):
    pages = PageText(many=True)


class EntityPosition(serializers.Serializer[Any]):
    """Where it stands: `start` characters into the text of the page, written like this."""

    page = serializers.IntegerField()
    start = serializers.IntegerField()
    text = serializers.CharField()


class DocumentEntity(serializers.Serializer[Any]):
    """Something the document mentions `count` times; `positions` are the first of them."""

    kind = serializers.ChoiceField(KINDS)
    value = serializers.CharField()
    text = serializers.CharField()
    count = serializers.IntegerField()
    positions = EntityPosition(many=True)


class Job(serializers.Serializer[Any]):
    """The work on one document."""

    id = serializers.UUIDField()
    document = serializers.UUIDField()
    status = serializers.ChoiceField(Status.choices)
    stage = serializers.ChoiceField(StageName.choices, allow_null=True)
    progress = serializers.IntegerField(min_value=0, max_value=100)
    position = serializers.IntegerField(allow_null=True)
    eta_seconds = serializers.IntegerField(allow_null=True)
    attempts = serializers.IntegerField()
    error = Failure(allow_null=True)


class Why(serializers.Serializer[Any]):
    """Places are counted from 1; `terms` are the stems that the document shares."""

    keyword_rank = serializers.IntegerField(allow_null=True)
    semantic_rank = serializers.IntegerField(allow_null=True)
    cosine = serializers.FloatField(allow_null=True)
    terms = serializers.ListField(child=serializers.CharField())
    image_rank = serializers.IntegerField(required=False)
    image_cosine = serializers.FloatField(required=False)


class Hit(serializers.Serializer[Any]):
    """A document at its best page; `snippet` is safe HTML with <mark> around what matched."""

    document = serializers.UUIDField()
    path = serializers.CharField()
    folder = serializers.CharField(allow_blank=True)
    name = serializers.CharField()
    content_type = serializers.CharField(allow_blank=True)
    page = serializers.IntegerField()
    snippet = serializers.CharField()
    score = serializers.FloatField()
    thumbnail = serializers.CharField(allow_null=True)
    placeholder = serializers.CharField(allow_blank=True)
    shows_it = serializers.BooleanField(
        required=False, help_text="True: an image that looks like what is asked for."
    )
    why = Why(required=False, help_text="With explain=true.")


class Coverage(serializers.Serializer[Any]):
    searchable = serializers.IntegerField()
    total = serializers.IntegerField()


class FacetValue(serializers.Serializer[Any]):
    value = serializers.CharField()
    text = serializers.CharField()
    documents = serializers.IntegerField(help_text="How many of the hits mention it.")


class Facet(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(KINDS)
    values = FacetValue(many=True)


class Results(serializers.Serializer[Any]):
    hits = Hit(many=True)
    coverage = Coverage()
    facets = Facet(many=True, required=False, help_text="With facets=true.")
    message = serializers.CharField(required=False, help_text="Why there are no hits.")
    degraded = serializers.ChoiceField(["semantic", "images"], required=False)


class Stats(serializers.Serializer[Any]):
    documents = inline_serializer(
        "StatsCounts",
        {
            name: serializers.IntegerField()
            for name in ("total", "uploaded", "processed", "embedded", "failed")
        },
    )
    as_of = serializers.DateTimeField()


get_text = operation("get_document_text", "documents", {200: DocumentText}, 404)
get_page_image = picture(
    "get_page_image",
    f"To a WebP of at most {PAGE_SIDE:,} pixels a side; of PDF documents and images only.",
    429,
)
list_entities = operation(
    "list_document_entities",
    "documents",
    {200: listing("EntityPage", DocumentEntity)},
    *(400, 404),
    parameters=[query("kind", enum=[kind.value for kind in Kind]), *PAGING],
)
get_job = operation("get_job", "documents", {200: Job}, 404)
search = operation(
    "search",
    "search",
    {200: Results},
    *(400, 404),
    parameters=[
        query(
            "q",
            {"type": "string", "maxLength": MAX_QUESTION},
            "The question; only with `entity` it may be left out.",
        ),
        query("entity", many=True, description="That mention this, as kind:value."),
        query("facets", bool, "Whether to say what the hits mention.", default=False),
        query("mode", enum=[mode.value for mode in Mode], default=Mode.HYBRID.value),
        query("folder", description="In this folder or below."),
        query("type", description="Of these media types, like text/csv,image/*."),
        query("batch", OpenApiTypes.UUID, "Of this batch."),
        query("limit", whole(1, MAX_LIMIT), default=DEFAULT_LIMIT),
        query("explain", bool, "Whether to say why each was found.", default=False),
    ],
)
get_stats = operation("get_stats", "documents", {200: Stats})
