"""Answer a question: scope, rank by words, by meaning and by looks, fuse, show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from django.db import connection

from documents import derived
from documents.errors import ProviderError
from documents.selectors import User
from processing.search import entities, images, keyword, semantic
from processing.search.facets import facets_of
from processing.search.fusion import Found, Ranked, fuse
from processing.search.question import Mode, Question, ask
from processing.search.results import Coverage, Hit, Results, Why
from processing.search.scope import Scope, scope_of
from processing.search.snippets import snippets_of

log = structlog.get_logger(__name__)

DEFAULT_LIMIT = 20
# Chunks taken from each list: several of them often belong to one document.
DEPTH = 100
DEPTH_PER_HIT = 3


@dataclass(frozen=True, slots=True)
class _Lists:
    """What the ways of ranking found; `degraded` names the one that could not be asked.

    `lexemes` are the stems that were looked for.
    """

    keyword: Sequence[Ranked] = ()
    semantic: Sequence[Ranked] = ()
    images: Sequence[Ranked] = ()
    degraded: str = ""
    lexemes: Sequence[str] = ()


def search(
    user: User,
    query: str,
    *,
    mode: str = Mode.HYBRID,
    folder: str = "",
    content_type: str = "",
    batch: UUID | None = None,
    limit: int = DEFAULT_LIMIT,
    explain: bool = False,
    mentioning: Sequence[str] = (),
    facets: bool = False,
) -> Results:
    """Return the documents of the user's workspaces that answer `query`, best first.

    `mentioning` are entities, as kind:value; with them the query may be empty. Raises
    InvalidError for a question out of bounds, NotFoundError for a foreign batch, and
    ProviderError for meaning alone while the embedder is away; all else goes on with the rest.
    """
    question = ask(
        query,
        mode=mode,
        folder=folder,
        content_type=content_type,
        limit=limit,
        entities=mentioning,
    )
    scope = scope_of(user, question, batch)
    coverage = scope.coverage()
    lists = _ranked(scope, question) if coverage.searchable else _Lists()
    lexemes = lists.lexemes
    found = fuse(lists.keyword, lists.semantic, lists.images)[: question.limit]
    hits = _hits(scope, found, lexemes, whys=_whys(found, lexemes) if explain else {})
    return Results(
        hits=hits,
        coverage=coverage,
        facets=facets_of([entry.document for entry in found]) if facets else None,
        message="" if hits else _nothing(question, lexemes, coverage),
        degraded=lists.degraded,
    )


def _ranked(scope: Scope, question: Question) -> _Lists:
    depth = max(DEPTH, DEPTH_PER_HIT * question.limit)
    if not question.text:
        found = entities.rank(scope, question.entities[0], depth)
        return _Lists(keyword=found.ranked, lexemes=keyword.lexemes_of(found.written))
    lexemes = keyword.lexemes_of(question.text)
    lists = replace(_by_question(scope, question, lexemes, depth), lexemes=lexemes)
    return lists if question.mode == Mode.KEYWORD else _with_images(lists, scope, question, depth)


def _by_question(scope: Scope, question: Question, lexemes: Sequence[str], depth: int) -> _Lists:
    if question.mode == Mode.KEYWORD:
        return _Lists(keyword=keyword.rank(scope, lexemes, depth))
    try:
        vector, model = semantic.embed(question.text)
    except ProviderError as error:
        if question.mode == Mode.SEMANTIC:
            raise
        log.warning("search_without_vectors", error=str(error))
        return _Lists(keyword=keyword.rank(scope, lexemes, depth), degraded="semantic")
    by_meaning = semantic.rank(scope, vector, model, depth)
    if question.mode == Mode.SEMANTIC:
        return _Lists(semantic=by_meaning)
    by_word = keyword.rank(scope, lexemes, depth)
    first = [found.chunk for found in fuse(by_word, by_meaning)[: semantic.FEEDBACK_CHUNKS]]
    moved = semantic.moved_towards(vector, first, model)
    return _Lists(by_word, semantic.rank(scope, vector, model, depth, moved=moved))


def _with_images(lists: _Lists, scope: Scope, question: Question, depth: int) -> _Lists:
    try:
        return replace(lists, images=images.rank(scope, question.text, depth))
    except ProviderError as error:
        log.warning("search_without_images", error=str(error))
        return replace(lists, degraded=lists.degraded or "images")


def _hits(
    scope: Scope, found: Sequence[Found], lexemes: Sequence[str], *, whys: dict[int, Why]
) -> list[Hit]:
    """Return what is shown; a chunk that was replaced meanwhile is left out."""
    if not found:
        return []
    shown = scope.shown_for([entry.document for entry in found])
    snippets = snippets_of([entry.chunk for entry in found], lexemes)
    hits = []
    for entry in found:
        document, snippet = shown.get(entry.document), snippets.get(entry.chunk)
        if document is None or snippet is None:
            continue
        holder = derived.holder_of(document)
        hits.append(
            Hit(
                document=document.id,
                path=document.path,
                folder=document.folder,
                name=document.name,
                content_type=document.content_type or document.declared_type,
                page=snippet.page,
                snippet=snippet.html,
                score=round(entry.score, 6),
                thumbnail=derived.thumbnail_path(document.id) if holder else None,
                placeholder=holder.placeholder if holder else "",
                shows_it=entry.image_rank is not None,
                why=whys.get(entry.chunk),
            )
        )
    return hits


def _whys(found: Sequence[Found], lexemes: Sequence[str]) -> dict[int, Why]:
    """Return for each chunk its ranks and which of the lexemes it contains."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select c.id, array(
              select lexeme from unnest(%s::text[]) with ordinality as t (lexeme, place)
              where lexeme = any(tsvector_to_array(c.terms)) order by place
            )
            from processing_chunk c where c.id = any(%s)
            """,
            [list(lexemes), [entry.chunk for entry in found]],
        )
        terms = dict(cursor.fetchall())
    return {
        entry.chunk: Why(
            keyword_rank=entry.keyword_rank,
            semantic_rank=entry.semantic_rank,
            cosine=None if entry.cosine is None else round(entry.cosine, 4),
            terms=terms.get(entry.chunk, []),
            image_rank=entry.image_rank,
            image_cosine=None if entry.image_cosine is None else round(entry.image_cosine, 4),
        )
        for entry in found
    }


def _nothing(question: Question, lexemes: Sequence[str], coverage: Coverage) -> str:
    """Return the sentence for a search without hits."""
    if not coverage.searchable:
        return "Nothing can be searched here yet."
    if not question.text:
        return "No document mentions it."
    if question.mode == Mode.KEYWORD and not lexemes:
        return "The question has only words that are too common to search for."
    if question.phrases:
        return "No document contains the words in quotation marks as they stand."
    return "No good match was found."
