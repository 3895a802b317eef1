"""Enrich: from text to the people, days, amounts and addresses that are mentioned in it.

Reads the text of the current generation, in the sandbox, up to MAX_CHARACTERS of it. Writes
its entities, each once, with their count and their first places. Fails with UnsupportedError
(permanent: ENTITY_MODEL cannot be loaded), TooComplexError (permanent), ParseTimeoutError
and CrashedError (transient).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from documents import faults
from documents.models import Document
from processing import reading
from processing.enrichment import MAX_CHARACTERS, Entity
from processing.models import Entity as EntityRow
from processing.models import IngestJob, PageText, StageName
from processing.stage import Held, Stage, Write, one_by_one

INSERT_ROWS = 500
PAGES_AT_ONCE = 200


def run(document: Document, held: Held) -> Write:
    """Find what the document mentions."""
    found = reading.find_entities(_pages(held), _language(document), document, held)
    held.check()
    return Enriched(found)


def _language(document: Document) -> str:
    """Return the language of the current generation, which need not be live yet."""
    if document.live_generation == document.generation:
        return document.language
    job = IngestJob.objects.get(document=document, generation=document.generation)
    return str(job.described.get("language", ""))


def _pages(held: Held) -> Iterator[tuple[int, str]]:
    """Yield pages until there is enough text; some at a time, for there may be a library."""
    lease = held.lease
    pages = PageText.objects.filter(document_id=lease.document_id, generation=lease.generation)
    last, left = 0, MAX_CHARACTERS
    while left > 0:
        rows = list(pages.filter(number__gt=last).order_by("number")[:PAGES_AT_ONCE])
        for page in rows:
            yield page.number, page.text[: max(0, left)]
            last, left = page.number, left - len(page.text)
        if len(rows) < PAGES_AT_ONCE:
            return


@dataclass(frozen=True, slots=True)
class Enriched:
    """Write the entities of the document's current generation, replacing an earlier attempt's."""

    found: list[Entity]

    def __call__(self, document: Document) -> bool:
        """Return True: whatever follows may go on."""
        own = {"document_id": document.id, "generation": document.generation}
        EntityRow.objects.filter(**own).delete()
        own |= {"workspace_id": document.workspace_id}
        EntityRow.objects.bulk_create(
            (
                EntityRow(
                    **own,
                    kind=entity.kind.value,
                    value=entity.value,
                    text=entity.places[0].text,
                    count=entity.count,
                    positions=[[place.page, place.start, place.text] for place in entity.places],
                )
                for entity in self.found
            ),
            batch_size=INSERT_ROWS,
        )
        faults.point("enrich.before_commit")
        return True


stage = Stage(StageName.ENRICH, one_by_one(run), after=StageName.EXTRACT, is_required=False)
