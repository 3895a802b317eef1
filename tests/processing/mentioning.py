"""Documents that mention something, without reading them for it."""

from documents.models import Batch, Document
from processing.enrichment import Kind
from processing.enrichment.entities import Entity, Place
from processing.models import Entity as EntityRow
from processing.stages.enrich import Enriched
from tests.processing.search_library import make_readable


def mention(document: Document, *named: str, count: int = 1) -> None:
    """Write entities, given as kind:value, as enrich does."""
    found = []
    for one in named:
        kind, _, value = one.partition(":")
        found.append(Entity(Kind(kind), value, count, [Place(1, 0, value.title())]))
    earlier = EntityRow.objects.filter(document=document, generation=document.generation)
    kept = [
        Entity(Kind(row.kind), row.value, row.count, [Place(*place) for place in row.positions])
        for row in earlier
    ]
    Enriched([*kept, *found])(document)


def make_mentioning(batch: Batch, text: str, *named: str, path: str = "a.txt") -> Document:
    """Return a document that can be found, and that mentions these entities."""
    document = make_readable(batch, text, path=path)
    mention(document, *named)
    return document
