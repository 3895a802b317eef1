"""What the documents that were found mention most."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from django.db import connection

from processing.enrichment import Kind
from processing.search.results import Facet, FacetValue

VALUES_OF_A_KIND = 8

# Served by `one_entity_each`, for at most as many documents as a search gives.
_MENTIONED = """
with counted as (
  select e.kind, e.value, min(e.text) as text, count(*) as documents, sum(e.count) as mentions
  from processing_entity e
  join documents_document d on d.id = e.document_id and d.live_generation = e.generation
  where e.document_id = any(%s)
  group by e.kind, e.value
), placed as (
  select *, row_number() over (
    partition by kind order by documents desc, mentions desc, value
  ) as place
  from counted
)
select kind, value, text, documents from placed where place <= %s
order by array_position(%s::varchar[], kind), place
"""


def facets_of(document_ids: Sequence[UUID]) -> list[Facet]:
    """Return for each kind the VALUES_OF_A_KIND entities that most of these documents mention."""
    with connection.cursor() as cursor:
        cursor.execute(_MENTIONED, [list(document_ids), VALUES_OF_A_KIND, list(Kind)])
        rows = cursor.fetchall()
    return [
        Facet(kind, [FacetValue(value, text, n) for _, value, text, n in group])
        for kind, group in groupby(rows, key=itemgetter(0))
    ]
