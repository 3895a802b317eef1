"""The API of batches and documents: HTTP in, one service, HTTP out."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponseRedirect
from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents import derived, rate_limits, schema, selectors, serializers
from documents.derived import Derived
from documents.errors import InvalidError, NotFoundError
from documents.models import Batch, Document
from documents.paging import DEFAULT_LIMIT, Page, paginate
from documents.problems import all_refused, as_errors
from documents.services import arrivals, batches, deletion, uploads
from documents.services.preflight import preflight
from documents.services.reprocessing import reprocess_one
from documents.services.uploads import Refusal
from documents.states import Status
from documents.storage import get_storage

PROBLEM = "application/problem+json"


class BatchListView(APIView):
    @schema.list_batches
    def get(self, request: Request) -> Response:
        """List the caller's batches, newest first."""
        found = selectors.batches_for(request.user)
        page = paginate(found, ("-created_at", "-id"), **_paging(request))
        return _listing(page, serializers.batch_json(page.rows))

    @schema.create_batch
    def post(self, request: Request) -> Response:
        """Open a batch in the caller's workspace."""
        data = _valid(serializers.BatchInput, request)
        workspace = selectors.get_workspace_for(request.user)
        batch = batches.create_batch(workspace, request.user, **data)
        return Response(_batch(batch), status=201)


class BatchView(APIView):
    @schema.get_batch
    def get(self, request: Request, batch_id: UUID) -> Response:
        """Return one batch with its progress."""
        return Response(_batch(selectors.get_batch_for(request.user, batch_id)))


class BatchEventsView(APIView):
    @schema.list_events
    def get(self, request: Request, batch_id: UUID) -> Response:
        """Return what happened since a number, or the snapshot when that is long ago."""
        batch = selectors.get_batch_for(request.user, batch_id)
        return Response(selectors.events_since(batch, _integer(request, "since", -1)))


class PreflightView(APIView):
    @schema.preflight
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Say what would be taken, before a byte moves."""
        batch = selectors.get_batch_for(request.user, batch_id)
        data = _valid(serializers.PreflightInput, request)
        return Response(preflight(batch, data["documents"]))


class UploadsView(APIView):
    @schema.register
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Register a window of documents and sign their upload URLs."""
        batch = selectors.get_batch_for(request.user, batch_id)
        rate_limits.take_upload_call(batch.workspace, request.user, request.auth)
        uploads.check_window(_length(request))
        data = _valid(serializers.DeclarationsInput, request)
        declarations = serializers.declarations(data["documents"])
        window = uploads.register(batch, declarations, sign=data["sign"])
        documents = [serializers.upload_json(upload) for upload in window.uploads]
        return _answer(documents, window.refusals, status=201)


class CompleteView(APIView):
    @schema.complete
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Accept documents whose bytes have arrived; never waits for a stage."""
        batch = selectors.get_batch_for(request.user, batch_id)
        uploads.check_window(_length(request))
        data = _valid(serializers.ArrivalsInput, request)
        ids = [item["id"] for item in data["documents"]]
        parts = serializers.given_parts(data["documents"])
        documents, refusals = arrivals.complete(batch, ids, parts)
        return _answer(serializers.document_json(documents), refusals, status=200)


class BatchActionView(APIView):
    """cancel, resume and retry: each one call of one service."""

    @schema.act_on_batch
    def post(self, request: Request, batch_id: UUID, action: str) -> Response:
        """Act on everything in the batch that the action fits, or on these documents of it."""
        batch = selectors.get_batch_for(request.user, batch_id)
        given = _valid(serializers.BatchActionInput, request)
        if "documents" in given:
            return _act_on_some(batch, given["documents"], action, request.user)
        if action == "retry":
            batches.retry(Document.objects.filter(batch=batch), request.user)
        elif action == "resume":
            batches.resume_batch(batch, request.user)
        else:
            batches.cancel_batch(batch, request.user)
        return Response(_batch(batch))


class DocumentListView(APIView):
    @schema.list_documents
    def get(self, request: Request) -> Response:
        """List the caller's documents by path within a batch, else newest first."""
        found = selectors.documents_for(request.user)
        given = request.query_params
        if given.get("batch"):
            found = found.filter(batch=selectors.get_batch_for(request.user, _uuid(given["batch"])))
        if given.get("status"):
            found = found.filter(status__in=given["status"].split(","))
        if given.get("folder"):
            found = found.filter(folder=given["folder"])
        if given.get("type"):
            found = found.filter(content_type=given["type"])
        if given.get("parent"):
            parent = selectors.get_document_for(request.user, _uuid(given["parent"], "document"))
            found = found.filter(id__in=selectors.children_of(parent).values("id"))
        if given.get("q"):
            found = found.filter(path__icontains=given["q"])
        order = ("path", "id") if given.get("batch") else ("-created_at", "-id")
        page = paginate(found, order, **_paging(request))
        return _listing(page, serializers.document_json(page.rows))


class DocumentView(APIView):
    @schema.get_document
    def get(self, request: Request, document_id: UUID) -> Response:
        """Return one document with its stages."""
        document = selectors.get_document_for(request.user, document_id)
        return Response(serializers.detail_json(document))

    @schema.delete_document
    def delete(self, request: Request, document_id: UUID) -> Response:
        """Remove everything of the document; any member of its workspace may."""
        document = selectors.get_document_for(request.user, document_id)
        deletion.delete(document, request.user)
        return Response(status=204)


class DownloadView(APIView):
    @schema.download
    def get(self, request: Request, document_id: UUID) -> HttpResponseRedirect:
        """Redirect to a signed URL of the original, which is always an attachment."""
        document = selectors.get_document_for(request.user, document_id)
        return HttpResponseRedirect(download_url(document))


class ThumbnailView(APIView):
    what = Derived.THUMBNAIL

    @schema.get_thumbnail
    def get(self, request: Request, document_id: UUID) -> HttpResponseRedirect:
        """Redirect to a signed URL of a small picture of the document."""
        return self.redirect(request, document_id)

    def redirect(self, request: Request, document_id: UUID) -> HttpResponseRedirect:
        """Answer with where the picture is for a while, which the browser may remember as long."""
        document = selectors.get_document_for(request.user, document_id)
        return to_picture(derived.signed_url(document, self.what))


def to_picture(url: str, most_seconds: int | None = None) -> HttpResponseRedirect:
    """Redirect to a signed URL of a picture, and say how long that may be remembered.

    As long as the URL works; `most_seconds` for a picture that may be gone before.
    """
    response = HttpResponseRedirect(url)
    seconds = max(0, settings.PREVIEW_URL_SECONDS - derived.MARGIN_SECONDS)
    if most_seconds is not None:
        seconds = min(seconds, most_seconds)
    response["Cache-Control"] = f"private, max-age={seconds}"
    # Somebody else at the same browser is asked who they are.
    patch_vary_headers(response, ("Cookie", "Authorization"))
    return response


class ImageView(ThumbnailView):
    what = Derived.IMAGE

    @schema.get_image
    def get(self, request: Request, document_id: UUID) -> HttpResponseRedirect:
        """Redirect to a signed URL of the whole picture, as large as a screen; of images only."""
        return self.redirect(request, document_id)


class DocumentActionView(APIView):
    """retry, cancel and reprocess: each one call of one service."""

    @schema.act_on_document
    def post(self, request: Request, document_id: UUID, action: str) -> Response:
        """Act on the document if the action fits its state."""
        document = selectors.get_document_for(request.user, document_id)
        if action == "reprocess":
            reprocess_one(document, request.user)
        else:
            act = batches.retry if action == "retry" else batches.cancel
            act(Document.objects.filter(id=document.id), request.user)
        document.refresh_from_db()
        return Response(serializers.document_json([document])[0])


def download_url(document: Document) -> str:
    """Return a signed URL of the stored bytes; a duplicate's are its original's."""
    holder = document.duplicate_of or document
    if not holder.stored_key or document.status == Status.CANCELLED:
        raise NotFoundError("The bytes of this document are not stored.")
    return get_storage().presign_get(
        holder.stored_key,
        filename=document.name,
        content_type=holder.content_type,
        expires_seconds=settings.DOWNLOAD_URL_SECONDS,
    )


def _act_on_some(
    batch: Batch, document_ids: list[UUID], action: str, user: selectors.User
) -> Response:
    if action == "resume":
        raise InvalidError("A batch is resumed as a whole: leave `documents` out.")
    chosen, refusals = batches.choose(batch, document_ids)
    if refusals and len(refusals) == len(set(document_ids)):
        return _all_refused(refusals)
    act = batches.retry if action == "retry" else batches.cancel
    act(chosen, user)
    return Response(_batch(batch) | {"errors": as_errors(refusals)})


def _batch(batch: Batch) -> dict[str, Any]:
    return serializers.batch_json([batch])[0]


def _answer(documents: list[dict[str, Any]], refusals: list[Refusal], *, status: int) -> Response:
    """Answer for a list: what was taken, and one entry per item that was not."""
    if refusals and not documents:
        return _all_refused(refusals)
    return Response({"documents": documents, "errors": as_errors(refusals)}, status=status)


def _all_refused(refusals: list[Refusal]) -> Response:
    body = all_refused(refusals)
    return Response(body, status=body["status"], content_type=PROBLEM)


def _listing(page: Page[Any], results: list[dict[str, Any]]) -> Response:
    return Response({"results": results, "next": page.next})


def _valid(serializer_class: Any, request: Request) -> Any:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def _length(request: Request) -> int:
    """Return how many documents are named, before each is looked at."""
    given = request.data.get("documents") if isinstance(request.data, dict) else None
    if not isinstance(given, list):
        raise InvalidError("The request needs a list `documents`.")
    return len(given)


def _paging(request: Request) -> dict[str, Any]:
    return {
        "cursor": request.query_params.get("cursor", ""),
        "limit": _integer(request, "limit", DEFAULT_LIMIT),
    }


def _integer(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, "")
    try:
        return int(given) if given else default
    except ValueError as error:
        raise InvalidError(f"{name} must be a whole number, not {given!r}.") from error


def _uuid(given: str, noun: str = "batch") -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise NotFoundError(f"There is no such {noun}.") from error
