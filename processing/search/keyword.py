"""Rank chunks by the words of a question: stemmed, ORed, BM25 in plain SQL.

BM25 as in Robertson and Zaragoza, The Probabilistic Relevance Framework (2009),
with the usual constants. The scores of `ts_rank` do not know which words are
rare: on Cranfield, BM25 found clearly more (docs/benchmarks.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from processing.search.fusion import Ranked
from processing.search.scope import Scope

K1 = 1.5
B = 0.75
# The rarest words choose the chunks that all words then rank, so that a question
# full of common words does not score half of a large workspace.
ENOUGH_CHUNKS = 3000


@dataclass(frozen=True, slots=True)
class Term:
    """A stem of the question, and in how many chunks of the user's workspaces it occurs."""

    lexeme: str
    chunks: int

    @property
    def query(self) -> str:
        """Return the tsquery of exactly this lexeme, quoted as its input syntax wants it."""
        return tsquery([self.lexeme])


def tsquery(lexemes: Sequence[str]) -> str:
    """Return lexemes ORed, in the input syntax of tsquery; a value, never a part of SQL."""
    escaped = (lexeme.replace("\\", "\\\\").replace("'", "''") for lexeme in lexemes)
    return " | ".join(f"'{lexeme}'" for lexeme in escaped)


def lexemes_of(text: str) -> list[str]:
    """Return the stems of `text` without stop words."""
    with connection.cursor() as cursor:
        cursor.execute("select lexeme from unnest(to_tsvector('english', %s))", [text])
        return [lexeme for (lexeme,) in cursor.fetchall()]


def rank(scope: Scope, lexemes: Sequence[str], depth: int) -> list[Ranked]:
    """Return up to `depth` chunks that contain at least one of the lexemes, best first."""
    terms = [term for term in _counted(scope, lexemes) if term.chunks]
    if not terms:
        return []
    condition, params = scope.chunks_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            _RANK.format(condition=condition),
            [
                tsquery([term.lexeme for term in _rarest(terms)]),
                *params,
                [term.query for term in terms],
                [term.chunks for term in terms],
                *(_chunks(scope.workspaces), K1, B, depth),
            ],
        )
        return [Ranked(chunk, document) for chunk, document in cursor.fetchall()]


def _rarest(terms: Sequence[Term]) -> list[Term]:
    """Return the rarest terms that have ENOUGH_CHUNKS together; all if they have fewer."""
    chosen: list[Term] = []
    for term in sorted(terms, key=lambda term: term.chunks):
        if sum(other.chunks for other in chosen) >= ENOUGH_CHUNKS:
            break
        chosen.append(term)
    return chosen


def _counted(scope: Scope, lexemes: Sequence[str]) -> list[Term]:
    """Count the chunks of each lexeme; served by `chunk_terms`, once per lexeme."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select t.place, (
              select count(*) from processing_chunk c
              where c.workspace_id = any(%s) and c.terms @@ t.query
            )
            from unnest(%s::tsquery[]) with ordinality as t (query, place) order by t.place
            """,
            [scope.workspaces, [tsquery([lexeme]) for lexeme in lexemes]],
        )
        return [Term(lexemes[place - 1], chunks) for place, chunks in cursor.fetchall()]


def _chunks(workspaces: list[UUID]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from processing_chunk where workspace_id = any(%s)", [workspaces]
        )
        return int(cursor.fetchone()[0])


# `ts_rank` of one lexeme that occurs n times is 0.1 * (1 + 1/4 + … + 1/n²) / (π²/6): the sum
# falls short of π²/6 = 1.644934 by about 1 / (n + ½), which gives n back. That is several times
# faster than unnesting every tsvector. `|| ''` unpacks a stored tsvector once, not once per term.
_RANK = """
with candidate as materialized (
  select c.id, c.document_id, c."end" - c.start as length, c.terms || ''::tsvector as terms
  from processing_chunk c where c.terms @@ %s::tsquery and {condition}
), term as (
  select query, chunks from unnest(%s::tsquery[], %s::float8[]) as t (query, chunks)
), matched as materialized (
  select id, document_id, length, chunks, ts_rank(terms, query) as share
  from candidate cross join term
), weighed as (
  select id, document_id, length,
    1 / greatest(1.644934 - 16.44934 * share, 0.002) - 0.5 as n,
    ln(1 + (greatest(%s::float8, chunks) - chunks + 0.5) / (chunks + 0.5)) as rarity
  from matched where share > 0.01
), usual as (select greatest(avg(length), 1)::float8 as length from candidate)
select w.id, w.document_id
from weighed w cross join usual u cross join (values (%s::float8, %s::float8)) as constant (k1, b)
group by w.id, w.document_id
order by sum(
  w.rarity * w.n * (k1 + 1) / (w.n + k1 * (1 - b + b * w.length / u.length))
) desc, w.id
limit %s
"""
