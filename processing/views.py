"""The API of what processing made: text, jobs, search and figures."""

from uuid import UUID

from django.http import HttpResponseRedirect
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents import derived
from documents.errors import InvalidError, NotFoundError
from documents.paging import DEFAULT_LIMIT as PAGE
from documents.paging import paginate
from documents.selectors import get_document_for
from documents.services.page_images import REMEMBERED_SECONDS
from documents.views import to_picture
from processing import page_images, schema, selectors
from processing.enrichment import Kind
from processing.search import DEFAULT_LIMIT, Mode, search
from processing.stats import stats_for

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("", "0", "false", "no", "off")


class TextView(APIView):
    @schema.get_text
    def get(self, request: Request, document_id: UUID) -> Response:
        """Return the document's text by page."""
        document = get_document_for(request.user, document_id)
        pages = selectors.pages_of(document)
        return Response({"pages": [{"page": page.number, "text": page.text} for page in pages]})


class PageImageView(APIView):
    @schema.get_page_image
    def get(self, request: Request, document_id: UUID, n: int) -> HttpResponseRedirect:
        """Redirect to a signed URL of the picture of one page, drawn now if nobody has."""
        document = get_document_for(request.user, document_id)
        url = derived.sign(page_images.picture_of(document, n), f"page-{n}.webp")
        return to_picture(url, REMEMBERED_SECONDS)


class EntitiesView(APIView):
    @schema.list_entities
    def get(self, request: Request, document_id: UUID) -> Response:
        """List what the document mentions, kind by kind, what is mentioned most first."""
        found = selectors.entities_of(get_document_for(request.user, document_id))
        given = request.query_params
        if given.get("kind"):
            found = found.filter(kind=_kind(given["kind"]))
        limit = _whole("limit", given.get("limit", ""), default=PAGE)
        page = paginate(
            found, ("kind", "-count", "value"), cursor=given.get("cursor", ""), limit=limit
        )
        return Response(
            {"results": [selectors.entity_json(entity) for entity in page.rows], "next": page.next}
        )


class JobView(APIView):
    @schema.get_job
    def get(self, request: Request, job_id: UUID) -> Response:
        """Return how far the work on one document is."""
        return Response(selectors.get_job_for(request.user, job_id))


class SearchView(APIView):
    @schema.search
    def get(self, request: Request) -> Response:
        """Return the documents that answer `q`, best first, and how much was searched."""
        given = request.query_params
        results = search(
            request.user,
            given.get("q", ""),
            mode=given.get("mode") or Mode.HYBRID,
            folder=given.get("folder", ""),
            content_type=given.get("type", ""),
            batch=_batch_id(given.get("batch", "")),
            limit=_whole("limit", given.get("limit", ""), default=DEFAULT_LIMIT),
            explain=_is_true("explain", given.get("explain", "")),
            mentioning=given.getlist("entity"),
            facets=_is_true("facets", given.get("facets", "")),
        )
        return Response(results.as_json())


class StatsView(APIView):
    @schema.get_stats
    def get(self, request: Request) -> Response:
        """Return how many documents the caller's workspaces hold, by how far they are."""
        return Response(stats_for(request.user))


def _batch_id(given: str) -> UUID | None:
    try:
        return UUID(given) if given else None
    except ValueError as error:
        raise NotFoundError("There is no such batch.") from error


def _whole(name: str, given: str, *, default: int) -> int:
    try:
        return int(given) if given else default
    except ValueError as error:
        raise InvalidError(f"{name} must be a whole number, not {given!r}.") from error


def _kind(given: str) -> Kind:
    try:
        return Kind(given)
    except ValueError as error:
        raise InvalidError(f"kind is one of {', '.join(Kind)}, not {given!r}.") from error


def _is_true(name: str, given: str) -> bool:
    if given.lower() not in (*_TRUE, *_FALSE):
        raise InvalidError(f"{name} must be true or false, not {given!r}.")
    return given.lower() in _TRUE
