"""Measure how well and how fast search answers a test set, through the code that serves it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import mean
from uuid import UUID, uuid4

import numpy as np
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from documents.models import Batch, Document, Membership, Workspace
from documents.services.moves import move
from documents.states import Status
from processing.benchmarks.retrieval import CUT, TestSet, ndcg
from processing.chunking import chunk
from processing.embeddings.registry import get_embedder
from processing.extraction import Extraction, Page
from processing.models import StageName
from processing.search import Mode, search
from processing.stage import Aside, Held, Lease
from processing.stages import embed, extract

WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """How one mode did: nDCG@10 with binary and with graded gains, seconds per question."""

    mode: Mode
    ndcg: float
    ndcg_graded: float
    p50_seconds: float
    p95_seconds: float


@contextmanager
def loaded(test_set: TestSet) -> Iterator[AbstractBaseUser]:
    """Yield a user whose workspace holds the test set; afterwards none of it was ever there."""
    with transaction.atomic():
        user = get_user_model().objects.create(username=f"bench-{uuid4()}")
        workspace = Workspace.objects.create(name="bench")
        Membership.objects.create(user=user, workspace=workspace, role=Membership.Role.OWNER)
        batch = Batch.objects.create(workspace=workspace, created_by=user)
        _process(batch, test_set)
        _settle()
        yield user
        transaction.set_rollback(True)


def measure(user: AbstractBaseUser, test_set: TestSet, mode: Mode) -> Measured:
    """Ask every question of the test set once."""
    for text in list(test_set.questions.values())[:WARM_UP]:
        search(user, text, mode=mode, limit=CUT)
    binary, graded, seconds = [], [], []
    for question, text in test_set.questions.items():
        start = time.perf_counter()
        hits = search(user, text, mode=mode, limit=CUT).hits
        seconds.append(time.perf_counter() - start)
        found = [hit.name.removesuffix(".txt") for hit in hits]
        binary.append(ndcg(found, test_set.grades[question], graded=False))
        graded.append(ndcg(found, test_set.grades[question], graded=True))
    p50, p95 = np.quantile(seconds, (0.5, 0.95)).tolist()
    return Measured(mode, mean(binary), mean(graded), p50, p95)


def _process(batch: Batch, test_set: TestSet) -> None:
    """Have every document read, cut and embedded, as the stages do it."""
    documents = [
        Document(
            workspace=batch.workspace,
            batch=batch,
            client_key=id_,
            path=f"{id_}.txt",
            name=f"{id_}.txt",
            size=len(title) + len(text),
            content_type="text/plain",
        )
        for id_, (title, text) in test_set.documents.items()
    ]
    Document.objects.bulk_create(documents)
    for status in (Status.UPLOADED, Status.PROCESSING):
        move(Document.objects.filter(batch=batch), status)
    count_tokens = get_embedder().count_tokens
    for document in documents:
        title, text = test_set.documents[document.client_key]
        pages = (Page(1, f"{title}\n\n{text}"),)
        extract.Extracted(Extraction(pages, title), chunk(pages, count_tokens))(document)
    _embed(documents)


def _embed(documents: Sequence[Document]) -> None:
    by_id: dict[UUID, Document] = {document.id: document for document in documents}
    for held, result in embed.run([_held(document) for document in documents]):
        if isinstance(result, Exception):
            raise result
        if isinstance(result, Aside):
            raise TypeError("Embedding is no long work that steps aside.")
        result(by_id[held.lease.document_id])


def _held(document: Document) -> Held:
    """Return a lease on a run that is not there: nobody else can see this document."""
    lease = Lease(
        run_id=0,
        document_id=document.id,
        workspace_id=document.workspace_id,
        generation=document.generation,
        stage=StageName.EMBED,
        attempt=1,
        max_attempts=1,
        crashes=0,
        token=uuid4(),
    )
    return Held(lease)


def _settle() -> None:
    """Do what autovacuum does soon after a load, and cannot do inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select gin_clean_pending_list('chunk_terms')")
        cursor.execute("analyze documents_document, processing_chunk")
