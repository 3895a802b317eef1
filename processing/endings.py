"""How the work on a document ends: all of it done, something optional given up, or in vain."""

from documents.errors import PermanentError, SluiceError
from documents.models import Document
from documents.services import disposal, quota
from documents.services.moves import move
from documents.states import Status
from processing.models import RunState, StageName, StageRun
from processing.pipeline import REQUIRED, get_stage
from processing.stage import Lease

OPEN = (RunState.BLOCKED, RunState.READY, RunState.LEASED)


def conclude(document: Document) -> None:
    """End a locked document that has all that is required, once nothing of it is open.

    Does nothing before. It is searchable already; what is optional and dead makes it partial.
    """
    runs = StageRun.objects.filter(document=document, generation=document.generation)
    states = {run.stage: run for run in runs.order_by("id")}
    if any(run.state in OPEN for run in states.values()):
        return
    required = (states.get(stage.name) for stage in REQUIRED)
    if not all(run is not None and run.state == RunState.DONE for run in required):
        return
    chosen = Document.objects.filter(id=document.id)
    dead = next((run for run in states.values() if run.state == RunState.DEAD), None)
    if dead is None:
        move(chosen, Status.READY)
        return
    # Said again: a required stage may have failed since, and have told of that instead.
    error = {"error_code": dead.error_code, "error_detail": dead.error_text}
    move(chosen, Status.PARTIAL, error_stage=dead.stage, retry_at=None, **error)


def give_up(document: Document, lease: Lease, error: SluiceError) -> None:
    """Bring a locked document to its end, one of its runs being dead.

    Refused by verify, or failed later; only something optional being dead, it ends when
    everything else has.
    """
    if not get_stage(lease.stage).is_required:
        conclude(document)
        return
    blocked = StageRun.objects.filter(job__runs=lease.run_id, state=RunState.BLOCKED)
    StageRun.objects.filter(id__in=list(blocked.values_list("id", flat=True))).update(
        state=RunState.SKIPPED
    )
    refused = lease.stage == StageName.VERIFY and isinstance(error, PermanentError)
    move(Document.objects.filter(id=document.id), _end_of(document, refused=refused))
    if refused:
        quota.release([document.id])
        # Nothing leads back from there, and bytes that nobody pays for would stay for ever.
        disposal.dispose(disposal.keys_of(document))


def _end_of(document: Document, *, refused: bool) -> Status:
    if refused:
        return Status.REJECTED
    # Read anew without success: it is found as it was read before.
    return Status.PARTIAL if document.embedded_at else Status.FAILED
