"""The API of batches and documents as OpenAPI tells it; nothing here runs in a request.

Shapes are what `serializers`, `selectors` and `problems` write, operations what `views` answer.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from documents import models
from documents.event_schema import Events, Failure
from documents.paging import DEFAULT_LIMIT, MAX_LIMIT
from documents.progress import SHOWN
from documents.schema_uploads import SIGN, Upload
from documents.serializers import ArrivalInput, BatchInput, DeclarationInput, PreflightItemInput
from documents.services.uploads import MAX_WINDOW
from documents.states import Status

View = TypeVar("View", bound=Callable[..., Any])
Serializer = serializers.Serializer[Any]
Shape = type[Serializer] | Serializer | OpenApiResponse

# --- shapes -------------------------------------------------------------------


class Problem(serializers.Serializer[Any]):
    """An error (RFC 9457): programs switch on `code`, people read `detail`."""

    type = serializers.CharField(help_text="Always about:blank.")
    code = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    status = serializers.IntegerField()
    limit = serializers.IntegerField(required=False, help_text="With too_large: bytes.")
    quota_left = serializers.IntegerField(required=False, help_text="With quota_exceeded: bytes.")
    retry_after = serializers.IntegerField(required=False, help_text="With rate_limit: seconds.")


class Refusal(Problem):
    """Why one document of a list was not taken, with what names it."""

    client_key = serializers.CharField(required=False)
    path = serializers.CharField(required=False)
    id = serializers.UUIDField(required=False)


class ListProblem(Problem):
    """The error of a list; has `errors` when each document was judged and none was taken."""

    # The framework takes fields off the class, so the property of this name stays.
    errors = Refusal(many=True, required=False)  # type: ignore[assignment]


def _pair(**options: Any) -> serializers.ListField:
    whole = serializers.IntegerField()
    return serializers.ListField(child=whole, min_length=2, max_length=2, **options)


class Phases(serializers.Serializer[Any]):
    uploading = _pair(help_text="[done, total]")
    processing = _pair(help_text="[done, total]")
    searchable = _pair(help_text="[done, total]")


class Progress(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="The number of the last event that is counted.")
    total = serializers.IntegerField()
    counts = inline_serializer(
        "Counts", {SHOWN[status.value]: serializers.IntegerField() for status in Status}
    )
    phases = Phases()
    documents_per_minute = serializers.FloatField(allow_null=True)
    position = serializers.IntegerField(allow_null=True)
    eta_seconds = _pair(allow_null=True, help_text="[low, high]")
    as_of = serializers.DateTimeField()


class Batch(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)
    lane = serializers.ChoiceField(models.Batch.Lane.choices)
    created_at = serializers.DateTimeField()
    cancelled_at = serializers.DateTimeField(allow_null=True)
    progress = Progress()


class ActedBatch(Batch):
    """The batch after an action; has `errors` when the action was asked of some documents."""

    # As in ListProblem.
    errors = Refusal(many=True, required=False)  # type: ignore[assignment]


class DocumentFailure(Failure):
    stage = serializers.CharField(allow_blank=True)
    retry_at = serializers.DateTimeField(allow_null=True)


class DocumentStage(serializers.Serializer[Any]):
    stage = serializers.CharField()
    state = serializers.CharField()
    attempt = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True, help_text="Of the last attempt that ended.")
    error = Failure(allow_null=True)


class Thumbnail(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Redirects to the picture.")
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    placeholder = serializers.CharField(help_text="A ThumbHash in base64.")


class Document(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    batch = serializers.UUIDField()
    path = serializers.CharField()
    folder = serializers.CharField(allow_blank=True)
    name = serializers.CharField()
    size = serializers.IntegerField(min_value=0, max_value=2**62)
    content_type = serializers.CharField(allow_blank=True)
    sha256 = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(Status.choices)
    duplicate_of = serializers.UUIDField(allow_null=True)
    # As in ListProblem.
    parent = serializers.UUIDField(  # type: ignore[assignment]
        allow_null=True, help_text="The archive or mail it was in."
    )
    processed_at = serializers.DateTimeField(allow_null=True)
    embedded_at = serializers.DateTimeField(allow_null=True)
    pages = serializers.IntegerField(allow_null=True)
    notice = serializers.CharField(
        allow_blank=True, help_text="What was left out of a document that is found otherwise."
    )
    thumbnail = Thumbnail(allow_null=True)
    error = DocumentFailure(allow_null=True)
    stages = DocumentStage(many=True)
    created_at = serializers.DateTimeField()


class DocumentDetail(Document):
    children = serializers.IntegerField(help_text="How many documents were in it.")


class PreflightDuplicate(serializers.Serializer[Any]):
    path = serializers.CharField(allow_blank=True)
    duplicate_of = serializers.UUIDField()


class PreflightRefusal(serializers.Serializer[Any]):
    path = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)


class PreflightVerdict(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    duplicates = PreflightDuplicate(many=True)
    refused = PreflightRefusal(many=True)
    quota_left = serializers.IntegerField()


EVENTS_SINCE = inline_serializer(
    "EventsSince",
    {
        "from": serializers.IntegerField(),
        "to": serializers.IntegerField(),
        "snapshot": Progress(),
        "events": Events(allow_null=True),
    },
)

# --- operations ---------------------------------------------------------------

PROBLEMS = {
    400: "The request is not valid.",
    401: "No valid token and no session.",
    403: "Not allowed, or the workspace is full.",
    404: "Not there, or not yours.",
    409: "The state or the bytes are not what the request takes them for.",
    413: "Too large.",
    415: "The request is not JSON.",
    429: "Too many calls; `Retry-After` says when to come back.",
    503: "Something Sluice needs is away; `Retry-After` says when to come back.",
}
# The statuses that documents of a list can be refused with.
JUDGED = (400, 404, 409, 413)
HEADERS = [
    OpenApiParameter(
        "X-Request-Id", str, OpenApiParameter.HEADER, response=True, description="As in the logs."
    ),
    OpenApiParameter(
        "Retry-After", int, OpenApiParameter.HEADER, response=[429, 503], description="Seconds."
    ),
]


def operation(
    operation_id: str,
    tag: str,
    answer: dict[int, Shape],
    *refusals: int,
    problem: type[Problem] = Problem,
    parameters: Sequence[OpenApiParameter] = (),
    request: Any = None,
) -> Callable[[View], View]:
    """Say of a view's method what it takes and answers; `refusals` are statuses of problems.

    `problem` is the shape of those that are about the content of the request.
    """
    responses: dict[Any, Shape] = {**answer}
    for status in sorted({*refusals, 401, 503}):
        shape = problem if status in JUDGED else Problem
        told = OpenApiResponse(shape, description=PROBLEMS[status])
        responses[status, "application/problem+json"] = told
    return extend_schema(
        operation_id=operation_id,
        tags=[tag],
        parameters=[*HEADERS, *parameters],
        request=request,
        responses=responses,
    )


def query(name: str, kind: Any = str, description: str = "", **options: Any) -> OpenApiParameter:
    """Return a parameter of the query."""
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description, **options)


def whole(minimum: int, maximum: int) -> dict[str, Any]:
    """Return the schema of a whole number within bounds."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def listing(name: str, of: type[Serializer]) -> Serializer:
    """Return the shape of a page of a list."""
    cursor = serializers.CharField(allow_null=True, help_text="Null on the last page.")
    return inline_serializer(name, {"results": of(many=True), "next": cursor})


def _judged(name: str, of: type[Serializer]) -> Serializer:
    return inline_serializer(name, {"documents": of(many=True), "errors": Refusal(many=True)})


def _window(name: str, of: type[Serializer], **more: serializers.Field[Any, Any, Any, Any]) -> Any:
    documents = serializers.ListField(child=of(), min_length=1, max_length=MAX_WINDOW)
    return inline_serializer(name, {"documents": documents, **more})


def _chosen(name: str) -> Serializer:
    ids = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=MAX_WINDOW, required=False
    )
    return inline_serializer(name, {"documents": ids})


def _id(name: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.UUID, OpenApiParameter.PATH)


def _action(*names: str) -> OpenApiParameter:
    return OpenApiParameter("action", str, OpenApiParameter.PATH, enum=names)


PAGING = [
    query("limit", int, f"More than {MAX_LIMIT} are not given.", default=DEFAULT_LIMIT),
    query("cursor", description="`next` of the page before."),
]

list_batches = operation(
    "list_batches", "batches", {200: listing("BatchPage", Batch)}, 400, parameters=PAGING
)
create_batch = operation("create_batch", "batches", {201: Batch}, 400, 403, 415, request=BatchInput)
get_batch = operation("get_batch", "batches", {200: Batch}, 404)
list_events = operation(
    "list_events",
    "batches",
    {200: EVENTS_SINCE},
    *(400, 404),
    parameters=[query("since", int, "The number of the last event that is known.", default=-1)],
)
preflight = operation(
    "preflight",
    "batches",
    {200: PreflightVerdict},
    *(400, 403, 404, 415),
    request=_window("PreflightWindow", PreflightItemInput),
)
register = operation(
    "register_documents",
    "batches",
    {201: _judged("UploadsAnswer", Upload)},
    *(400, 403, 404, 409, 413, 415, 429),
    problem=ListProblem,
    request=_window("DeclarationsWindow", DeclarationInput, sign=SIGN),
)
complete = operation(
    "complete_documents",
    "batches",
    {200: _judged("CompleteAnswer", Document)},
    *(400, 403, 404, 409, 415),
    problem=ListProblem,
    request=_window("ArrivalsWindow", ArrivalInput),
)
act_on_batch = operation(
    "act_on_batch",
    "batches",
    {200: ActedBatch},
    *(400, 403, 404, 415),
    problem=ListProblem,
    parameters=[_id("batch_id"), _action("cancel", "resume", "retry")],
    request=_chosen("BatchAction"),
)
list_documents = operation(
    "list_documents",
    "documents",
    {200: listing("DocumentPage", Document)},
    *(400, 404),
    parameters=[
        query("batch", OpenApiTypes.UUID, "Of this batch, by path instead of newest first."),
        query("status", many=True, explode=False, enum=Status.values),
        query("folder", description="In this folder itself."),
        query("type", description="Of this media type."),
        query("parent", OpenApiTypes.UUID, "What was in this archive or mail."),
        query("q", description="With this in the path."),
        *PAGING,
    ],
)
get_document = operation("get_document", "documents", {200: DocumentDetail}, 404)
delete_document = operation(
    "delete_document",
    "documents",
    {204: OpenApiResponse(description="It is gone for good.")},
    404,
)
download = operation(
    "download_document",
    "documents",
    {302: OpenApiResponse(description="To the bytes, as an attachment.")},
    404,
    parameters=[
        OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[302], required=True)
    ],
)


def picture(operation_id: str, description: str, *refusals: int) -> Callable[[View], View]:
    """Say that a view's method redirects to a picture."""
    location = OpenApiParameter(
        "Location", str, OpenApiParameter.HEADER, response=[302], required=True
    )
    answer: dict[int, Shape] = {302: OpenApiResponse(description=description)}
    return operation(operation_id, "documents", answer, 404, *refusals, parameters=[location])


get_thumbnail = picture("get_thumbnail", "To a WebP of at most 320 pixels a side.")
get_image = picture("get_image", "To a WebP of at most 2,048 pixels a side; of images only.")
act_on_document = operation(
    "act_on_document",
    "documents",
    {200: Document},
    *(403, 404, 409),
    parameters=[_id("document_id"), _action("cancel", "retry", "reprocess")],
)
