"""Take documents through their stages by hand, one claim and one finish at a time."""

import hashlib
from collections.abc import Sequence
from uuid import uuid4

from django.db import connection

from documents.models import Batch, Document
from documents.services import arrivals
from documents.storage import get_storage
from processing import leases
from processing.chunking import ChunkSpan
from processing.drawing import Drawing, Picture
from processing.extraction import Extraction
from processing.models import StageName, StageRun
from processing.pipeline import following, get_stage
from processing.stage import Held, Lease, Write
from processing.stages import embed
from processing.stages.enrich import Enriched
from processing.stages.extract import Extracted
from processing.stages.preview import Previewed
from processing.stages.verify import Verified
from tests.factories import make_stored

TEXT = "The lantern by the lake was lit every evening."


def arrived(batch: Batch, content: bytes, path: str = "folder/a.txt") -> Document:
    """Return a document whose bytes are here and whose work exists."""
    document = make_stored(batch, content, path=path)
    arrivals.complete(batch, [document.id])
    return fresh(document)


def ready(batch: Batch, content: bytes, text: str = TEXT, path: str = "folder/a.txt") -> Document:
    """Return a document that went through every stage."""
    document = arrived(batch, content, path)
    verify(document, content)
    read(document, text)
    adorn(document)
    learn(document)
    return fresh(document)


def fresh(document: Document) -> Document:
    return Document.objects.get(id=document.id)


def claim(document: Document, stage: StageName) -> Lease:
    """Claim the one ready run of the stage; it must be this document's."""
    due()
    claimed = leases.claim(get_stage(stage), uuid4(), limit=1)
    claimed = claimed or leases.claim(get_stage(stage), uuid4(), limit=1, quarantine=True)
    (lease,) = claimed
    assert lease.document_id == document.id
    return lease


def due() -> None:
    """Have every wait be over."""
    StageRun.objects.filter(state="ready").update(run_at="2020-01-01T00:00Z", rests_until=None)


def expire(lease: Lease) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update processing_stagerun set lease_until = now() - interval '1 s' where id = %s",
            [lease.run_id],
        )


def seconds_until_run(lease: Lease) -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "select extract(epoch from run_at - now()) from processing_stagerun where id = %s",
            [lease.run_id],
        )
        return float(cursor.fetchone()[0])


def finish(lease: Lease, write: Write) -> None:
    leases.finish(lease, write, following(lease.stage))


def verify(document: Document, content: bytes) -> None:
    lease = claim(document, StageName.VERIFY)
    finish(lease, verified(document, content))


def verified(document: Document, content: bytes) -> Write:
    """Promote the bytes as verify does, and return what it would write."""
    storage = get_storage()
    stat = storage.stat(document.incoming_key)
    if stat is not None:
        storage.promote(document.incoming_key, document.final_key, if_etag=stat.etag)
    return Verified(document.final_key, hashlib.sha256(content).hexdigest(), "text/plain")


def read(document: Document, *texts: str) -> None:
    finish(claim(document, StageName.EXTRACT), extracted(*texts))


def adorn(document: Document) -> None:
    """Do everything that is optional."""
    show(document)
    enrich(document)


def show(document: Document) -> None:
    finish(claim(document, StageName.PREVIEW), previewed())


def enrich(document: Document) -> None:
    finish(claim(document, StageName.ENRICH), enriched())


def previewed() -> Write:
    """Return what preview would write of a picture that somebody drew."""
    return Previewed(Drawing(Picture(b"", 240, 320), None, "3OcRJYB4d3h/iIeHeEh3eIhw+j3A"))


def enriched() -> Write:
    """Return what enrich would write of a text that mentions nothing."""
    return Enriched([])


def extracted(*texts: str, title: str = "") -> Write:
    """Return what extract would write of a text, a page and a chunk each."""
    pages = [{"number": at + 1, "text": text, "headings": []} for at, text in enumerate(texts)]
    told = {"pages": pages, "title": title or texts[0], "language": "en", "metadata": {}}
    spans = [
        ChunkSpan(ordinal=at, page=at + 1, start=0, end=len(text), heading="", text=text)
        for at, text in enumerate(texts)
    ]
    return Extracted(Extraction.from_json(told), spans)


def learn(document: Document) -> None:
    """Run embed itself, with whatever embedder the test installed."""
    lease = claim(document, StageName.EMBED)
    finish(lease, embedded([lease]))


def embedded(claimed: Sequence[Lease]) -> Write:
    ((_, result),) = embed.run([Held(lease) for lease in claimed])
    assert callable(result), result
    return result
