"""What is reserved and used is always what the documents say, whatever became of them."""

import random
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db.models import Sum

from documents import progress
from documents.errors import (
    CorruptError,
    CrashedError,
    LeaseLostError,
    QuotaExceededError,
    StorageError,
)
from documents.models import Batch, Document, Event, Stream, Workspace
from documents.services import arrivals, batches, deletion
from documents.services.reprocessing import reprocess
from documents.services.uploads import Declaration, register
from documents.states import Status
from documents.storage import get_storage
from processing import generations, leases
from processing.models import RunState, StageName, StageRun
from processing.numbering import number_events
from processing.pipeline import OF_ALL, following, get_stage
from processing.stage import Lease, Write
from processing.stages.embed import Embedded
from processing.stages.extract import Extracted
from processing.stages.verify import Verified
from tests.factories import make_batch, make_user
from tests.processing.books import counted
from tests.processing.lifecycle import enriched, previewed
from tests.processing.outputs import EXTRACTION, NO_VECTORS

pytestmark = pytest.mark.django_db
STEPS = 200


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def workspace(user: User) -> Workspace:
    return Workspace.objects.get()


class Walk:
    """Random but repeatable moves of everybody who may change a document."""

    def __init__(self, seed: int, workspace: Workspace, user: User) -> None:
        self.chance = random.Random(seed)
        self.user = user
        self.batches = [make_batch(workspace), make_batch(workspace)]

    def step(self) -> None:
        moves = (self.register, self.arrive, self.resume, *[self.work] * 8)
        rare = [self.cancel, self.retry, self.expire, self.cancel_batch, self.reprocess]
        if self.chance.random() < 0.3:
            rare.append(self.delete)
        self.chance.choice([*moves * 2, *rare])()

    def register(self) -> None:
        batch = self.batch()
        if batch.cancelled_at is None:
            key, size = f"{self.chance.randrange(12)}.txt", self.chance.randrange(1, 6)
            register(batch, [Declaration(key, key, size)])

    def arrive(self) -> None:
        waiting = self.some(Status.AWAITING)
        for document in waiting:
            arrivals.accept(document.batch, [document.id])

    def work(self) -> None:
        stage = self.chance.choice(OF_ALL)
        is_quarantined = self.chance.random() < 0.3
        StageRun.objects.filter(state=RunState.READY).update(run_at="2020-01-01T00:00Z")
        for lease in leases.claim(stage, uuid4(), limit=2, quarantine=is_quarantined):
            if self.chance.random() < 0.15:
                self.cancel()
            try:
                self.settle(lease)
            except LeaseLostError:
                continue

    def settle(self, lease: Lease) -> None:
        error = self.chance.choice(
            [CorruptError(), CrashedError(), StorageError(retry_after_seconds=0), *[None] * 6]
        )
        if error is not None:
            leases.fail(lease, error)
        elif self.chance.random() < 0.1:
            leases.hand_back(lease)
        else:
            leases.finish(lease, self.output(lease), following(lease.stage))

    def output(self, lease: Lease) -> Write:
        if lease.stage == StageName.VERIFY:
            # Few different contents of each size: duplicates come by themselves.
            size = Document.objects.get(id=lease.document_id).size
            sha256 = f"{size * 10 + self.chance.randrange(3):064x}"
            key = Document.objects.get(id=lease.document_id).final_key
            return Verified(key, sha256, "text/plain")
        if lease.stage == StageName.EXTRACT:
            return Extracted(EXTRACTION, [])
        if lease.stage == StageName.PREVIEW:
            return previewed()
        if lease.stage == StageName.ENRICH:
            return enriched()
        return Embedded([], NO_VECTORS, "none")

    def end(self) -> None:
        """Refuse one, bring all others to their end and delete one, however chance went."""
        batch = make_batch(self.batches[0].workspace)
        self.batches.append(batch)
        register(batch, [Declaration(key, key, 7) for key in ("refused.txt", "read.txt")])
        arrivals.accept(batch, list(batch.documents.values_list("id", flat=True)))
        refused = batch.documents.get(path="refused.txt").id
        for stage in OF_ALL:
            StageRun.objects.filter(state=RunState.READY).update(run_at="2020-01-01T00:00Z")
            for quarantine in (False, True):
                while leased := leases.claim(stage, uuid4(), limit=50, quarantine=quarantine):
                    for lease in leased:
                        if lease.document_id == refused:
                            leases.fail(lease, CorruptError())
                        else:
                            leases.finish(lease, self.output(lease), following(lease.stage))
        self.delete()

    def cancel(self) -> None:
        ids = [document.id for document in self.some()]
        batches.cancel(Document.objects.filter(id__in=ids), self.user)

    def cancel_batch(self) -> None:
        batches.cancel_batch(self.batch(), self.user)

    def resume(self) -> None:
        batches.resume_batch(self.batch(), self.user)

    def retry(self) -> None:
        batches.retry(Document.objects.filter(batch=self.batch()), self.user)

    def reprocess(self) -> None:
        ids = [document.id for document in self.some()]
        reprocess(Document.objects.filter(id__in=ids), self.user)
        generations.prune()

    def delete(self) -> None:
        for document in self.some()[:1]:
            deletion.delete(document, self.user)

    def expire(self) -> None:
        for document in self.some(Status.AWAITING):
            arrivals.expire(document)

    def batch(self) -> Batch:
        batch = self.chance.choice(self.batches)
        batch.refresh_from_db()
        return batch

    def some(self, *statuses: Status) -> list[Document]:
        documents = Document.objects.order_by("created_at")
        found = list(documents.filter(status__in=statuses) if statuses else documents)
        return self.chance.sample(found, min(2, len(found)))


@pytest.mark.parametrize("seed", [2, 3])
def test_books_agree_after_any_mix_of_outcomes(seed: int, workspace: Workspace, user: User) -> None:
    walk = Walk(seed, workspace, user)

    for _ in range(STEPS):
        walk.step()

        sums = Document.objects.aggregate(n=Sum("reserved_bytes"))
        stored = Document.objects.exclude(stored_key="").aggregate(n=Sum("size"))
        workspace.refresh_from_db()
        assert workspace.reserved_bytes == (sums["n"] or 0)
        assert workspace.used_bytes == (stored["n"] or 0)

    walk.end()
    number_events()
    for batch in walk.batches:
        told = Stream.objects.get(name=f"batch:{batch.id}").state
        assert counted(told) == counted(progress.recompute(batch.id))
    # The walk went where books can go wrong.
    assert Event.objects.filter(kind="deleted").exists()
    came = set(Event.objects.filter(kind="documents").values_list("payload__to", flat=True))
    assert came >= {Status.READY, Status.CANCELLED, Status.EXPIRED, Status.REJECTED}


def test_duplicates_go_into_a_full_workspace(workspace: Workspace) -> None:
    batch = make_batch(workspace)
    sha256 = "a" * 64
    register(batch, [Declaration("a.txt", "a.txt", 5, sha256)])
    Document.objects.update(stored_key="stored/x", sha256=sha256, reserved_bytes=0)
    Workspace.objects.update(quota_bytes=3, used_bytes=5, reserved_bytes=0)

    window = register(batch, [Declaration("b.txt", "b.txt", 5, sha256)])

    assert [upload.document.status for upload in window.uploads] == [Status.DUPLICATE]


def test_resume_beyond_the_quota_changes_nothing(workspace: Workspace, user: User) -> None:
    batch = make_batch(workspace)
    register(batch, [Declaration(f"{at}.txt", f"{at}.txt", 5) for at in range(3)])
    batches.cancel_batch(batch, user)
    Workspace.objects.update(quota_bytes=14)

    with pytest.raises(QuotaExceededError):
        batches.resume_batch(batch, user)

    batch.refresh_from_db()
    assert batch.cancelled_at is not None
    assert Workspace.objects.get().reserved_bytes == 0
    assert set(Document.objects.values_list("status", flat=True)) == {Status.CANCELLED}


def test_the_queries_of_a_resume_do_not_grow_with_it(
    workspace: Workspace, user: User, django_assert_max_num_queries: object
) -> None:
    batch = make_batch(workspace)
    register(batch, [Declaration(f"{at}.txt", f"{at}.txt", 5) for at in range(30)])
    batches.cancel_batch(batch, user)

    with django_assert_max_num_queries(20):  # type: ignore[operator]
        batches.resume_batch(batch, user)

    assert Workspace.objects.get().reserved_bytes == 150


def test_bytes_of_a_rejected_document_do_not_stay(
    workspace: Workspace, django_capture_on_commit_callbacks: object
) -> None:
    batch = make_batch(workspace)
    (upload,) = register(batch, [Declaration("a.txt", "a.txt", 5)]).uploads
    get_storage().put(upload.document.incoming_key, b"12345", "text/plain")
    arrivals.complete(batch, [upload.document.id])
    (lease,) = leases.claim(get_stage(StageName.VERIFY), uuid4(), limit=1)

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        leases.fail(lease, CorruptError("It is damaged."))

    assert Document.objects.get().status == Status.REJECTED
    assert get_storage().stat(upload.document.incoming_key) is None
