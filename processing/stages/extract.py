"""Extract: from stored bytes to text by page, cut into chunks.

Reads the final object, in the sandbox; pages that only show their text are recognised there,
many of them in turns of a few seconds between which it steps aside with what it has.
Images and scans without any are found by their name. Writes page texts, chunks and the document's
pages, title, language and metadata: searchable by keyword from here on, unless the
document is read anew and its earlier text is searched until embed is done.
An archive's members and what is attached to a mail become documents of its batch first;
an archive's own text is what was in it.
Fails with QuotaExceededError (permanent; what fits was taken), EncryptedError, CorruptError,
UnsupportedError, EmptyDocumentError, TooComplexError (permanent), CrashedError and
StorageError (transient).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.db.models.functions import Now

from documents import events, faults
from documents.errors import EmptyDocumentError
from documents.models import Document
from documents.storage import get_storage
from processing import generations, reading, recognition, unpacking
from processing.chunking import ChunkSpan, chunk
from processing.descriptions import with_description
from processing.embeddings.registry import get_embedder
from processing.extraction import Extraction, media_types
from processing.models import Chunk, PageText, ScanSlice, StageName
from processing.stage import Aside, Held, Stage, Write, one_by_one

INSERT_ROWS = 500
MAX_TITLE = 500
COUNT_AT_ONCE = 2_000


def run(document: Document, held: Held) -> Write | Aside:
    """Read the document in the sandbox and cut its text into chunks, once all of it is read."""
    faults.point("extract.before_read", document.name)
    with get_storage().as_file(document.stored_key) as path:
        extraction = _extraction(path, document, held)
    held.check()
    if isinstance(extraction, Aside):
        return extraction
    spans = chunk(extraction.pages, partial(_count_tokens, held))
    spans = with_description(spans, document, extraction)
    if not spans:
        raise EmptyDocumentError(f"{document.name} contains no text that could be found.")
    return Extracted(extraction, spans)


def _extraction(path: Path, document: Document, held: Held) -> Extraction | Aside:
    if document.content_type in media_types.ARCHIVES:
        return unpacking.unpack(path, document, held)
    if document.content_type in media_types.MAIL:
        mail = reading.read(path, document, held)
        has_attachments = "attachments" in mail.metadata
        return unpacking.detach(path, document, mail, held) if has_attachments else mail
    return recognition.read(path, document, held)


def _count_tokens(held: Held, texts: Sequence[str]) -> list[int]:
    """Count in slices: between them a lost lease is noticed, for a whole library in one file."""
    counts: list[int] = []
    for start in range(0, len(texts), COUNT_AT_ONCE):
        held.check()
        counts += get_embedder().count_tokens(texts[start : start + COUNT_AT_ONCE])
    return counts


@dataclass(frozen=True, slots=True)
class Extracted:
    """Write the text of the document's current generation, replacing an earlier attempt's."""

    extraction: Extraction
    spans: list[ChunkSpan]

    def __call__(self, document: Document) -> bool:
        """Return True: embedding follows."""
        own = {"document_id": document.id, "generation": document.generation}
        PageText.objects.filter(**own).delete()
        Chunk.objects.filter(**own).delete()
        ScanSlice.objects.filter(**own).delete()
        own |= {"workspace_id": document.workspace_id}
        PageText.objects.bulk_create(
            (PageText(**own, number=page.number, text=page.text) for page in self.extraction.pages),
            batch_size=INSERT_ROWS,
        )
        Chunk.objects.bulk_create(
            (
                Chunk(
                    **own,
                    ordinal=span.ordinal,
                    page=span.page,
                    start=span.start,
                    end=span.end,
                    heading=span.heading[:MAX_TITLE],
                    text=span.text,
                )
                for span in self.spans
            ),
            batch_size=INSERT_ROWS,
        )
        self._describe(document)
        faults.point("extract.before_commit")
        return True

    def _describe(self, document: Document) -> None:
        found = {
            "pages": len(self.extraction.pages),
            "title": self.extraction.title[:MAX_TITLE],
            "language": self.extraction.language,
            "metadata": self.extraction.metadata,
        }
        if document.live_generation != document.generation:
            generations.describe(document, found)
            generations.reuse_vectors(document)
            return
        Document.objects.filter(id=document.id).update(processed_at=Now(), **found)
        # Only the first time: the text of a document is counted once in its progress.
        if document.processed_at is None:
            events.append(
                events.batch_stream(document.batch_id),
                "processed",
                {"documents": [str(document.id)], "n": 1},
            )


stage = Stage(StageName.EXTRACT, one_by_one(run), after=StageName.VERIFY)
