"""Measure how fast uploads are signed and acknowledged, through HTTP, as clients meet it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID, uuid4

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from documents import events
from documents.models import Batch, Document, Event, Membership, Stream, Workspace
from documents.services import batches, disposal
from documents.services.tokens import create_token
from documents.services.uploads import MAX_WINDOW
from processing import jobs, outcome
from processing.benchmarks.caller import Caller, CallError
from processing.benchmarks.upload_server import served
from processing.models import Worker

T = TypeVar("T")
NAME = "Upload bench"
# What is measured is the work, and not the limits on it.
UNLIMITED = {"upload_calls_burst": 10**6, "upload_calls_per_second": 10.0**6}
DROPPED_BYTES = 2_000
# For each batch, from when the one before it is done.
SETTLE_SECONDS = 1_800


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked: calls one by one, and uploaders all at once."""

    calls: int
    completes: int
    uploaders: int
    documents: int
    stat_seconds: float


@dataclass(slots=True)
class Drop:
    """What came of many uploaders at once."""

    acknowledged: int = 0
    put_off: int = 0
    lost: int = 0
    errors: list[str] = field(default_factory=list)
    uploads: list[float] = field(default_factory=list)
    completes: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures by name, and what went wrong how often."""

    figures: dict[str, float]
    errors: dict[str, int]


def measure(load: Load) -> Measured:
    """Run all three parts once and wait for the workers; nothing of it stays."""
    with _uploaders(load.uploaders) as (group, tokens):
        with served(load.stat_seconds) as url:
            completes = _time_completes(url, tokens[0], load.completes)
        _settle(group)
        with served(0) as url:
            presigns = _time_presigns(url, tokens[0], load.calls)
            started = time.perf_counter()
            drop, seconds = _timed(_drop_at_once, url, tokens, load.documents)
            _settle(group)
            settled = time.perf_counter() - started
            searchable = _searchable(group)
    figures = {
        **_spread("presign 500", presigns),
        **_spread("complete 1", completes),
        "drop seconds": seconds,
        "drop acknowledged": drop.acknowledged,
        "all searchable": searchable,
        "all searchable after seconds": settled,
        "drop errors": len(drop.errors),
        "drop put off": drop.put_off,
        "drop connections lost": drop.lost,
        **_spread("drop uploads", drop.uploads),
        **_spread("drop complete", drop.completes),
    }
    return Measured(figures, dict(Counter(drop.errors)))


def _time_presigns(url: str, token: str, n: int) -> list[float]:
    """Time `n` calls that each register and sign as many documents as one may."""
    with closing(Caller(url, token)) as caller:
        batch = _open_batch(caller)
        _register(caller, batch, 1)
        return [_timed(_register, caller, batch, MAX_WINDOW)[1] for _ in range(n)]


def _time_completes(url: str, token: str, n: int) -> list[float]:
    """Time `n` calls that each acknowledge one document."""
    with closing(Caller(url, token)) as caller:
        batch = _open_batch(caller)
        uploads = _register(caller, batch, n + 1)
        for upload in uploads:
            caller.put(upload, _content(upload))
        _complete(caller, batch, uploads[:1])
        return [_timed(_complete, caller, batch, [each])[1] for each in uploads[1:]]


def _drop_at_once(url: str, tokens: Sequence[str], n: int) -> Drop:
    """Have everybody open a batch, send `n` documents and complete them, all at once."""
    drop, lock, together = Drop(), threading.Lock(), threading.Barrier(len(tokens))

    def upload(token: str) -> None:
        with closing(Caller(url, token)) as caller:
            together.wait()
            try:
                times, acknowledged = _drop_one(caller, n)
            except CallError as error:
                with lock:
                    drop.errors.append(str(error))
                return
        with lock:
            drop.acknowledged += acknowledged
            drop.put_off += caller.put_off
            drop.lost += caller.lost
            drop.uploads.append(times[0])
            drop.completes.append(times[1])

    with ThreadPoolExecutor(len(tokens)) as pool:
        list(pool.map(upload, tokens))
    return drop


def _drop_one(caller: Caller, n: int) -> tuple[tuple[float, float], int]:
    batch = _open_batch(caller)
    uploads, signing = _timed(_register, caller, batch, n)
    for each in uploads:
        caller.put(each, _content(each))
    taken, completing = _timed(_complete, caller, batch, uploads)
    return (signing, completing), taken


def _open_batch(caller: Caller) -> str:
    return str(caller.post("batches", {"name": NAME, "lane": "bulk"})["id"])


def _register(caller: Caller, batch: str, n: int) -> list[dict[str, Any]]:
    paths = [f"bench/{uuid4().hex}.txt" for _ in range(n)]
    declared = [{"client_key": path, "path": path, "size": DROPPED_BYTES} for path in paths]
    answer = caller.post(f"batches/{batch}/uploads", {"documents": declared})
    if len(answer["documents"]) != n:
        raise CallError(f"uploads: {answer['errors']}")
    return list(answer["documents"])


def _complete(caller: Caller, batch: str, uploads: Sequence[dict[str, Any]]) -> int:
    """Return how many documents the API says are taken."""
    body = {"documents": [{"id": upload["id"]} for upload in uploads]}
    answer = caller.post(f"batches/{batch}/complete", body)
    return sum(document["status"] != "awaiting" for document in answer["documents"])


def _content(upload: dict[str, Any]) -> bytes:
    """Return text that no other document has."""
    return f"Gate {upload['id']} was opened at dawn. ".ljust(DROPPED_BYTES, "x").encode()


def _timed(call: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    started = time.perf_counter()
    return call(*arguments), time.perf_counter() - started


def _spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    p50, p95, most = 1000 * np.quantile(seconds or [np.nan], (0.5, 0.95, 1))
    return {f"{name} p50 ms": p50, f"{name} p95 ms": p95, f"{name} max ms": most}


def _settle(group: str) -> None:
    """Wait until the workers have done all that was acknowledged, if there are any."""
    if not outcome.is_alive(Worker.Kind.WORKER):
        return
    for batch_id in _batches(group):
        if not outcome.wait(batch_id, SETTLE_SECONDS, lambda _: None):
            raise CallError(f"Work on the bench's documents is not done in {SETTLE_SECONDS} s.")


def _searchable(group: str) -> int:
    documents = Document.objects.filter(workspace__in=_workspaces(group))
    return documents.filter(outcome.found()).count()


def _batches(group: str) -> list[UUID]:
    found = Batch.objects.filter(workspace__in=_workspaces(group))
    return list(found.values_list("id", flat=True))


@contextmanager
def _uploaders(n: int) -> Iterator[tuple[str, list[str]]]:
    """Yield a name and the tokens of `n` people, each in a workspace of their own; all goes."""
    group = f"bench-{uuid4().hex[:8]}"
    try:
        with transaction.atomic():
            tokens = [_uploader(f"{group}-{at}") for at in range(n)]
        yield group, tokens
    finally:
        # Who is deleted under the hands of a worker may be in a deadlock with it.
        for user in _users(group):
            for batch in Batch.objects.filter(created_by=user):
                batches.cancel_batch(batch, user)
                # What is optional goes on when a document is done.
                with transaction.atomic():
                    jobs.cancel(batch.documents.values_list("id", flat=True))
        _remove(group)


def _uploader(username: str) -> str:
    user = User.objects.create(username=username)
    workspace = Workspace.objects.create(name=username, **UNLIMITED)
    Membership.objects.create(user=user, workspace=workspace, role=Membership.Role.OWNER)
    return create_token(user, NAME)


def _workspaces(group: str) -> QuerySet[Workspace]:
    return Workspace.objects.filter(name__startswith=f"{group}-")


def _users(group: str) -> QuerySet[User]:
    return User.objects.filter(username__startswith=f"{group}-")


def _remove(group: str) -> None:
    workspaces = _workspaces(group)
    streams = [events.batch_stream(batch_id) for batch_id in _batches(group)]
    with transaction.atomic():
        sent = Document.objects.filter(workspace__in=workspaces, uploaded_at__isnull=False)
        disposal.dispose(key for document in sent for key in disposal.keys_of(document))
        workspaces.delete()
    _users(group).delete()
    # After the documents: the conductor may have numbered what was still to come.
    Event.objects.filter(stream__in=streams).delete()
    Stream.objects.filter(name__in=streams).delete()
