"""Threads that meet where a test wants them, and work for them to quarrel about."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from numpy.typing import NDArray

from documents import faults
from documents.errors import LeaseLostError
from documents.models import Batch, Document, Event, Workspace
from documents.services.arrivals import accept
from documents.services.moves import move
from documents.states import Status
from processing import leases
from processing.claims import claim as claim_runs
from processing.leases import reap as reap
from processing.models import Chunk, RunState, StageAttempt, StageName, StageRun
from processing.pipeline import following, get_stage
from processing.stage import Held, Lease, Write
from processing.stages import embed
from processing.stages.verify import Verified
from tests.factories import make_batch, make_document

# Far longer than anything takes here; who waits this long has failed.
PATIENCE_SECONDS = 20.0
Value = TypeVar("Value")


class Gate:
    """A place where the first thread that comes stands still until it is let go."""

    def __init__(self) -> None:
        self._first = threading.Lock()
        self._reached = threading.Event()
        self._opened = threading.Event()

    def stop(self) -> None:
        """Stand here, unless another has before."""
        if self._first.acquire(blocking=False):
            self._reached.set()
            assert self._opened.wait(PATIENCE_SECONDS), "nobody opened the gate"

    def wait_until_reached(self) -> None:
        assert self._reached.wait(PATIENCE_SECONDS), "nobody came to the gate"

    def open(self) -> None:
        self._opened.set()

    def before(self, fragment: str) -> Callable[..., Any]:
        """Return a wrapper of queries that stops before the first one with this text."""

        def wrapper(execute: Any, sql: str, *rest: Any) -> Any:
            if fragment in sql:
                self.stop()
            return execute(sql, *rest)

        return wrapper


class Places:
    """What happens at the named places of the code, instead of what a file would arm."""

    def __init__(self) -> None:
        self._acts: dict[str, Callable[[], None]] = {}

    def pass_by(self, name: str) -> None:
        self._acts.get(name, lambda: None)()

    def gate(self, name: str) -> Gate:
        """Return a new gate, which stands at this place from now on."""
        gate = Gate()
        self._acts[name] = gate.stop
        return gate

    def break_at(self, name: str) -> None:
        """Have whoever comes to this place end there, and nowhere else."""

        def strike() -> None:
            raise faults.FaultError(name)

        self._acts = {name: strike}

    def clear(self) -> None:
        self._acts = {}


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """The places of this process, all of them passed freely at first."""
    made = Places()
    monkeypatch.setattr(faults, "point", made.pass_by)
    return made


class InThread(threading.Thread, Generic[Value]):
    """A call in a thread and a connection of its own, with what came of it."""

    def __init__(self, call: Callable[[], Value]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._value: Value
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - raised again by who asks for the value
            self._error = error
        finally:
            connection.close()

    def finish(self) -> Value:
        """Return what the call returned, or raise what it raised."""
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "it never ended"
        if self._error is not None:
            raise self._error
        return self._value


def at_once(*calls: Callable[[], Value]) -> list[Value]:
    """Start all calls at the same moment; return what they returned, in order."""
    barrier = threading.Barrier(len(calls), timeout=PATIENCE_SECONDS)

    def started(call: Callable[[], Value]) -> Callable[[], Value]:
        def wait_and_call() -> Value:
            connection.ensure_connection()
            barrier.wait()
            return call()

        return wait_and_call

    return [thread.finish() for thread in [InThread(started(call)) for call in calls]]


def wait_until_blocked(thread: InThread[Any]) -> None:
    """Return once a connection waits for a lock, or the thread has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while thread.is_alive() and not _somebody_waits():
        assert time.monotonic() < deadline, "it neither waits for a lock nor ends"
        time.sleep(0.002)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select 1 from pg_stat_activity "
            "where datname = current_database() and wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])


def succeeds(call: Callable[[], object]) -> Callable[[], bool]:
    """Make a call that tells whether it was let in, or was refused as no longer the owner."""

    def tell() -> bool:
        try:
            call()
        except LeaseLostError:
            return False
        return True

    return tell


def everything() -> dict[str, list[str]]:
    """Return every row of every table, as text."""
    names = sorted(connection.introspection.table_names())
    found = {}
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f'select t::text from "{name}" t order by 1')
            found[name] = [row[0] for row in cursor.fetchall()]
    return found


def wipe() -> None:
    """Leave nothing that the next trial could find."""
    Workspace.objects.all().delete()
    Event.objects.all().delete()


class CheapEmbedder:
    """A provider that costs nothing; every text points the same way."""

    model = "cheap"
    dimensions = 2
    max_tokens = 1000

    def embed(self, texts: Any) -> NDArray[np.float32]:
        return np.ones((len(texts), 2), np.float32)


@pytest.fixture
def cheap_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "get_embedder", CheapEmbedder)


# What a document is while a stage works on it, and after.
AROUND = {
    StageName.VERIFY: (Status.UPLOADED, Status.PROCESSING),
    StageName.EMBED: (Status.PROCESSING, Status.READY),
}


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed run, and what its holder is about to write."""

    lease: Lease
    write: Write

    def finish(self) -> None:
        leases.finish(self.lease, self.write, following(self.lease.stage))

    @property
    def run(self) -> StageRun:
        return StageRun.objects.get(id=self.lease.run_id)

    @property
    def document(self) -> Document:
        return Document.objects.get(id=self.lease.document_id)

    def expire(self) -> None:
        """Let the lease have run out, by the clock of the database."""
        with connection.cursor() as cursor:
            cursor.execute(
                "update processing_stagerun "
                "set lease_until = statement_timestamp() - interval '1 s' where id = %s",
                [self.lease.run_id],
            )


def make_work(stage: StageName) -> Work:
    """Return one claimed run, of the only document there is to work on."""
    make_ready(stage, 1)
    (lease,) = claim(stage)
    return Work(lease, write_for(lease))


def make_ready(stage: StageName, n: int, *, batch: Batch | None = None) -> list[Document]:
    """Return documents of which this stage comes next, with three chunks each if they are read."""
    batch = batch or make_batch()
    documents = [make_document(batch, reserved_bytes=0) for _ in range(n)]
    ids = [document.id for document in documents]
    accept(batch, ids)
    if stage == StageName.EMBED:
        move(Document.objects.filter(id__in=ids), Status.PROCESSING)
        runs = StageRun.objects.filter(document_id__in=ids)
        runs.exclude(stage=stage).update(state="done")
        runs.filter(stage=stage).update(state="ready")
        Chunk.objects.bulk_create(_chunks(documents))
    return documents


def _chunks(documents: list[Document]) -> Iterator[Chunk]:
    for document in documents:
        for place in range(3):
            yield Chunk(
                workspace_id=document.workspace_id,
                document=document,
                ordinal=place,
                page=1,
                start=place,
                end=place + 1,
                text=f"text {place}",
            )


def claim(stage: StageName, *, limit: int = 1, quarantine: bool = False) -> list[Lease]:
    return claim_runs(get_stage(stage), uuid4(), limit=limit, quarantine=quarantine)


def claim_again(work: Work) -> Work:
    """Return the work of whoever takes the run after it was taken back."""
    # Its delay after a crash is over, by the clock of the database.
    with connection.cursor() as cursor:
        cursor.execute(
            "update processing_stagerun set run_at = statement_timestamp() where id = %s",
            [work.lease.run_id],
        )
    (lease,) = claim(work.lease.stage, quarantine=True)
    return Work(lease, write_for(lease))


def write_for(lease: Lease) -> Write:
    """Return what verify and embed would write for this lease; of other stages nothing."""
    if lease.stage not in AROUND:
        return lambda _: True
    if lease.stage == StageName.VERIFY:
        declared = Document.objects.values_list("declared_sha256", flat=True)
        sha256 = declared.get(id=lease.document_id) or lease.document_id.hex * 2
        return Verified(f"stored/{lease.workspace_id}/{lease.document_id}", sha256, "text/plain")
    ((_, result),) = embed.run([Held(lease)])
    assert isinstance(result, embed.Embedded), result
    return result


def some_work(chance: Random) -> Work:
    wipe()
    return make_work(chance.choice(list(AROUND)))


def the_attempt() -> StageAttempt:
    """Return the only attempt there is: none is doubled, none was lost."""
    return StageAttempt.objects.get()


def assert_finished(work: Work) -> None:
    assert (work.run.state, work.run.crashes) == (RunState.DONE, 0)
    assert (the_attempt().n, the_attempt().outcome) == (1, "ok")
    assert work.document.status == AROUND[work.lease.stage][1]


def assert_taken_back(work: Work) -> None:
    run, document = work.run, work.document
    assert (run.state, run.crashes, run.lease_token) == (RunState.READY, 1, None)
    assert (the_attempt().n, the_attempt().outcome) == (1, "crashed")
    assert (document.status, document.error_code) == (AROUND[work.lease.stage][0], "crashed")
    assert not StageRun.objects.filter(state=RunState.LEASED).exists()
