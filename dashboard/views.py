"""The pages: authorise, ask, render."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard import actions, answers, queries
from dashboard.forms import TYPES, ListForm, PageForm, SearchForm
from dashboard.pages import page
from dashboard.presentation import gap_sentence
from documents import derived, selectors
from documents.services.reprocessing import READABLE
from documents.states import ACTIVE

RECENT_BATCHES = 5


@require_GET
@page
def upload(request: HttpRequest) -> HttpResponse:
    """Show the drop zone; with ?batch= a drop goes on with that batch."""
    workspace = selectors.get_workspace_for(request.user)
    given = request.GET.get("batch")
    batch = selectors.get_batch_for(request.user, queries.parse_id(given)) if given else None
    recent = queries.recent_batches(request.user, limit=RECENT_BATCHES)
    context = {
        "workspace": workspace,
        "batch": batch,
        "gaps": gap_sentence(queries.progress_of(batch)) if batch else "",
        "recent": queries.with_progress(recent.rows),
        "empty_progress": queries.empty_progress(),
    }
    return render(request, "dashboard/upload.html", context)


@require_GET
@page
def batches(request: HttpRequest) -> HttpResponse:
    """List the batches, newest first."""
    found = queries.recent_batches(request.user, cursor=request.GET.get("cursor", ""))
    context = {"rows": queries.with_progress(found.rows), "next": found.next}
    return render(request, "dashboard/batches.html", context)


@require_GET
@page
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Show one batch: its three phases and its documents."""
    shown = selectors.get_batch_for(request.user, batch_id)
    narrowing = ListForm.of(request.GET)
    found = queries.documents_of_batch(
        request.user,
        shown,
        show=narrowing["show"],
        folders=narrowing["view"] != "flat",
        cursor=narrowing["cursor"],
    )
    progress = queries.progress_of(shown)
    context = {
        "batch": shown,
        "progress": progress,
        "gaps": gap_sentence(progress),
        "documents": found.rows,
        "next": found.next,
        **narrowing,
    }
    return render(request, "dashboard/batch.html", context)


@require_POST
@page
def act_on_batch(request: HttpRequest, batch_id: UUID, action: str) -> HttpResponse:
    """Retry, cancel or resume what a batch holds, and say what that did."""
    shown = selectors.get_batch_for(request.user, batch_id)
    actions.tell(request, lambda: actions.on_batch(action, shown, request.user))
    return redirect("batch", shown.id)


@require_GET
@page
def search(request: HttpRequest) -> HttpResponse:
    """Answer a question from everything that is searchable."""
    question = SearchForm(request.GET).question()
    batch = selectors.get_batch_for(request.user, question.batch) if question.batch else None
    context = {
        "question": question,
        "type_choices": TYPES,
        "folders": queries.top_folders(request.user),
        "result": answers.answer(request.user, question) if question.q or question.entity else None,
        "batch": batch,
    }
    return render(request, "dashboard/search.html", context)


@require_GET
@page
def document(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Show one document, open at the page that was asked for."""
    shown = selectors.get_document_for(request.user, document_id)
    wanted = PageForm.of(request.GET)
    context = {
        "document": shown,
        "timeline": queries.timeline(shown),
        "text": queries.text_window(shown, wanted["page"]),
        "mentioned": queries.mentioned(shown),
        "crumbs": queries.crumbs(shown),
        "contents": queries.contents(shown),
        "can_download": queries.has_bytes(shown),
        "can_reprocess": shown.stored_key and shown.status in READABLE,
        "is_active": shown.status in ACTIVE,
        "can_cancel": shown.status in ACTIVE and not shown.is_finishing,
        "preview": derived.thumbnail_json(shown),
        "page_shape": queries.page_shape(shown),
        "has_image": bool((shown.duplicate_of or shown).image_width),
        "q": wanted["q"],
    }
    return render(request, "dashboard/document.html", context)


@require_POST
@page
def act_on_document(request: HttpRequest, document_id: UUID, action: str) -> HttpResponse:
    """Retry, cancel or reprocess one document, and say what that did."""
    shown = selectors.get_document_for(request.user, document_id)
    actions.tell(request, lambda: actions.on_document(action, shown, request.user))
    return redirect("document", shown.id)


@require_http_methods(["GET", "POST"])
@page
def delete_document(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """Ask whether the document shall go for good, and delete it once that is said."""
    shown = selectors.get_document_for(request.user, document_id)
    if request.method == "GET":
        context = {"document": shown, "duplicates": queries.duplicates_of(shown)}
        return render(request, "dashboard/delete.html", context)
    actions.tell(request, lambda: actions.delete(shown, request.user))
    return redirect("batch", shown.batch_id)


@require_GET
@page
def library(request: HttpRequest) -> HttpResponse:
    """List every document of the workspace, newest first."""
    narrowing = ListForm.of(request.GET)
    found = queries.library(
        request.user,
        show=narrowing["show"],
        folder=narrowing["folder"],
        cursor=narrowing["cursor"],
    )
    context = {
        "documents": found.rows,
        "next": found.next,
        "folders": queries.top_folders(request.user),
        **narrowing,
    }
    return render(request, "dashboard/library.html", context)
