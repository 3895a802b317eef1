"""Whether what is told of documents is what they are: progress and quota."""

from django.db.models import Sum

from documents import progress
from documents.models import Batch, Document, Stream, Workspace
from documents.selectors import progress_of
from processing.numbering import number_events


def check_books() -> None:
    """Fail if a projection drifted, a stream has a gap, or a workspace counts other bytes."""
    while number_events():
        pass
    for batch in Batch.objects.filter(documents__isnull=False).distinct():
        told = Stream.objects.get(name=f"batch:{batch.id}").state
        assert counted(told) == counted(progress.recompute(batch.id))
    for workspace in Workspace.objects.all():
        documents = Document.objects.filter(workspace=workspace)
        stored = documents.exclude(stored_key="").aggregate(n=Sum("size"))["n"]
        reserved = documents.aggregate(n=Sum("reserved_bytes"))["n"]
        assert (workspace.used_bytes, workspace.reserved_bytes) == (stored or 0, reserved or 0)


def counted(state: progress.State) -> dict[str, dict[str, int]]:
    """Return the counts of a projection without zeros."""
    return {
        name: {status: n for status, n in state.get(name, {}).items() if n}
        for name in ("counts", "with_text", "with_vectors")
    }


def phases(batch: Batch) -> dict[str, list[int]]:
    """Return the phases as the API tells them now."""
    number_events()
    shown: dict[str, list[int]] = progress_of([batch.id])[batch.id]["phases"]
    return shown
