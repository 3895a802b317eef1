"""Rank documents by how often they mention an entity: a question without words."""

from dataclasses import dataclass

from django.db import connection

from processing.search.fusion import Ranked
from processing.search.scope import Scope
from processing.search.wanted import Wanted

# Chunks overlap: of those that begin before the mention, the last has most around it.
_RANK = """
select c.id, e.document_id, e.text
from processing_entity e cross join lateral (
  select c.id from processing_chunk c
  where c.document_id = e.document_id and c.generation = e.generation
    and c.page = (e.positions->0->>0)::int and c.start <= (e.positions->0->>1)::int
    and {condition}
  order by c.ordinal desc limit 1
) c
where e.workspace_id = any(%s) and e.kind = %s and e.value = %s
order by e.count desc, e.document_id limit %s
"""


@dataclass(frozen=True, slots=True)
class Mentioning:
    """The chunks of the first mentions, and how they are written."""

    ranked: list[Ranked]
    written: str


def rank(scope: Scope, one: Wanted, depth: int) -> Mentioning:
    """Return up to `depth` chunks, one of each document, that with most mentions first."""
    condition, params = scope.chunks_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            _RANK.format(condition=condition),
            [*params, scope.workspaces, one.kind, one.value, depth],
        )
        rows = cursor.fetchall()
    return Mentioning(
        ranked=[Ranked(chunk, document) for chunk, document, _ in rows],
        written=" ".join({text: None for *_, text in rows}),
    )
