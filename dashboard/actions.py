"""What the buttons of a page do: one service each, and the sentence that says how it went."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest

from documents.errors import SluiceError
from documents.models import Batch, Document
from documents.selectors import User
from documents.services import batches, deletion
from documents.services.reprocessing import reprocess_one


def tell(request: HttpRequest, act: Callable[[], str]) -> None:
    """Act, and leave the outcome or the refusal as a message for the next page."""
    try:
        messages.success(request, act())
    except SluiceError as error:
        messages.error(request, error.detail)


def on_batch(action: str, batch: Batch, user: User) -> str:
    """Carry out `retry`, `cancel` or `resume` on a batch; return what to tell the person."""
    if action == "retry":
        return _told("tried again", batches.retry(Document.objects.filter(batch=batch), user))
    if action == "resume":
        return _told("going on", batches.resume_batch(batch, user))
    return _told("cancelled", batches.cancel_batch(batch, user))


def on_document(action: str, document: Document, user: User) -> str:
    """Carry out `retry`, `cancel` or `reprocess` on a document; return what to tell the person."""
    one = Document.objects.filter(id=document.id)
    if action == "retry":
        return "It is tried again." if batches.retry(one, user) else "There is nothing to retry."
    if action == "reprocess":
        reprocess_one(document, user)
        return "It is read anew. Until that is done, it is found as it was read before."
    return "It is cancelled." if batches.cancel(one, user) else "It had ended already."


def delete(document: Document, user: User) -> str:
    """Delete a document; the sentence does not name it, because nothing keeps its name."""
    deletion.delete(document, user)
    return "The document is deleted."


def _told(what: str, n: int) -> str:
    if n == 0:
        return "Nothing had to change."
    return f"1 document is {what}." if n == 1 else f"{n:,} documents are {what}."
