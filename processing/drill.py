"""A fire drill for a running installation: strike it, and see whether anything is lost.

The drill brings documents of its own, in a workspace nobody else is in. It kills one
worker of this machine while that works for the drill, keeps every doorbell silent for a
while, and then compares what came out with what went in. Other people's documents wait
meanwhile, and are worked on afterwards: that is what is being drilled.
"""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q
from django.db.models.functions import Now

from documents import events
from documents.errors import ConflictError
from documents.folders import Found, walk
from documents.models import Batch, Document, Event, Stream, Workspace
from documents.services import deletion, intake
from documents.services.batches import create_batch
from documents.states import Status
from processing import outcome, tasks
from processing.models import RunState, StageAttempt, StageName, StageRun, Worker
from processing.outcome import SEEN_WITHIN

WORKSPACE = "Drill"
# How long to wait for a worker of this machine to have something of the drill in its hands.
CATCH_SECONDS = 60.0
LOOK_SECONDS = 0.05
# Often enough that no bell rings between two looks.
HUSH_SECONDS = 0.2
SENTENCE = "Drill {at}: gate {word} was opened at dawn and closed again. "

Tell = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """What was done and found; `problems` is empty when nothing was lost or done twice."""

    batch: str = ""
    documents: int = 0
    killed_pid: int = 0
    held_by_killed: int = 0
    recovered_seconds: float | None = None
    finished_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def drill(*, documents: int, silence_seconds: float, timeout_seconds: float, tell: Tell) -> Report:
    """Run the drill and return its report; its documents are removed when all went well.

    Raises ConflictError when no worker of this machine can be struck.
    """
    workers = _workers_here()
    if not workers:
        raise ConflictError(f"No worker runs on {socket.gethostname()}: nothing could be killed.")
    report = Report(documents=documents)
    batch = _send(documents)
    report.batch = str(batch.id)
    started = time.monotonic()
    tell(f"{documents} documents are on their way.")
    held = _kill_one(workers, batch, report)
    tell(f"Killed worker {report.killed_pid} with {report.held_by_killed} runs in its hands.")
    tell(f"No doorbell rings for {silence_seconds:g} s.")
    _watch(batch, held, report, silence_seconds=silence_seconds, timeout_seconds=timeout_seconds)
    report.finished_seconds = round(time.monotonic() - started, 1)
    report.problems += find_problems(batch, documents)
    if not report.problems:
        _remove(batch)
    return report


def _workers_here() -> list[Worker]:
    """Return the living workers of this machine, known by what they run and not by pid alone."""
    alive = Worker.objects.filter(
        kind=Worker.Kind.WORKER,
        stopped_at=None,
        seen_at__gt=Now() - SEEN_WITHIN,
        host=socket.gethostname(),
    )
    return [worker for worker in alive if _is_worker(worker.pid)]


def _is_worker(pid: int) -> bool:
    try:
        parent = psutil.Process(pid).parent()
        return parent is not None and "dramatiq" in " ".join(parent.cmdline())
    except psutil.Error:
        return False


def _send(n: int) -> Batch:
    """Bring `n` small documents that nobody has seen before, as `manage.py ingest` would."""
    workspace = Workspace.objects.filter(name=WORKSPACE, memberships=None).first()
    workspace = workspace or Workspace.objects.create(name=WORKSPACE)
    batch = create_batch(workspace, AnonymousUser(), name=f"Drill {uuid4().hex[:8]}", lane="bulk")
    with tempfile.TemporaryDirectory(prefix="sluice-drill-") as folder:
        for at in range(n):
            text = SENTENCE.format(at=at, word=uuid4().hex) * 20
            Path(folder, f"drill-{at}.txt").write_text(text)
        found = [entry for entry in walk([Path(folder)]) if isinstance(entry, Found)]
        for _ in intake.send(batch, found):
            pass
    return batch


def _kill_one(workers: list[Worker], batch: Batch, report: Report) -> list[int]:
    """SIGKILL a worker, with work of the drill in its hands if one is caught; return the runs."""
    deadline = time.monotonic() + CATCH_SECONDS
    by_id = {worker.id: worker for worker in workers}
    leased = StageRun.objects.filter(document__batch=batch, state=RunState.LEASED)
    busy = None
    while busy is None and time.monotonic() < deadline and not _is_over(batch):
        busy = leased.filter(lease_worker__in=by_id).values_list("lease_worker", flat=True).first()
        time.sleep(LOOK_SECONDS)
    victim = by_id[busy] if busy else workers[0]
    os.kill(victim.pid, signal.SIGKILL)
    held = list(leased.filter(lease_worker=victim.id).values_list("id", flat=True))
    report.killed_pid, report.held_by_killed = victim.pid, len(held)
    return held


def _watch(
    batch: Batch, held: list[int], report: Report, *, silence_seconds: float, timeout_seconds: float
) -> None:
    """Keep the bells silent for a while, and look until all has ended."""
    killed_at = time.monotonic()
    open_runs = StageRun.objects.filter(
        id__in=held, state__in=(RunState.READY, RunState.LEASED, RunState.BLOCKED)
    )
    while (passed := time.monotonic() - killed_at) < timeout_seconds:
        if passed < silence_seconds:
            tasks.hush(2 * HUSH_SECONDS)
        if held and report.recovered_seconds is None and not open_runs.exists():
            report.recovered_seconds = round(passed, 1)
        if passed >= silence_seconds and _is_over(batch):
            return
        time.sleep(HUSH_SECONDS)
    report.problems.append(f"not everything had ended after {timeout_seconds:g} s")


def _is_over(batch: Batch) -> bool:
    counts = outcome.counts_of(batch.id)
    if any(counts.get(status) for status in outcome.AT_WORK):
        return False
    return not Event.objects.filter(stream=events.batch_stream(batch.id), number=None).exists()


def find_problems(batch: Batch, n: int) -> list[str]:
    """Return what was lost, done twice or told wrongly."""
    documents = Document.objects.filter(batch=batch)
    counts = outcome.counts_of(batch.id)
    problems = []
    if counts != {Status.READY: n}:
        problems.append(f"{n} documents went in, and now they are {counts}")
    problems += [
        f"{document} was embedded {times} times"
        for document, times in StageAttempt.objects.filter(
            run__document__batch=batch,
            run__stage=StageName.EMBED,
            outcome=StageAttempt.Outcome.OK,
        )
        .values_list("run__document__path")
        .annotate(times=Count("id"))
        if times != 1
    ]
    chunks = Count("chunks", filter=Q(chunks__embedding__isnull=False))
    unfindable = documents.annotate(vectors=chunks).filter(vectors=0)
    problems += [f"{document.path} has no vectors" for document in unfindable]
    stream = Stream.objects.filter(name=events.batch_stream(batch.id)).first()
    told = stream.state["counts"] if stream is not None else {}
    if {status: k for status, k in told.items() if k} != counts:
        problems.append(f"the progress says {told}, the documents are {counts}")
    return problems


def _remove(batch: Batch) -> None:
    for document in Document.objects.filter(batch=batch):
        deletion.delete(document, AnonymousUser())
