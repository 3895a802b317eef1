"""What the search page shows: the hits of `processing.search`, and what to say about them."""

from dataclasses import dataclass

from dashboard.forms import Question
from documents.errors import ProviderError
from documents.selectors import User, documents_for
from documents.states import ACTIVE
from processing import search
from processing.extraction import media_types as types

# What each choice of `forms.TYPES` stands for.
MEDIA_TYPES: dict[str, tuple[str, ...]] = {
    "pdf": (types.PDF,),
    "text": (types.DOCX, types.DOC, types.ODT, types.RTF, types.TEXT, types.MARKDOWN),
    "sheet": (types.XLSX, types.XLS, types.CSV, types.TSV),
    "slides": (types.PPTX, types.PPT),
    "mail": (types.EML, types.MSG),
    "web": (types.HTML, types.XML),
    "data": (types.JSON, types.NDJSON),
    "book": (types.EPUB,),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of a question, best first; `message` says why there are none."""

    hits: list[search.Hit]
    searchable: int = 0
    total: int = 0
    message: str = ""
    by_words_only: bool = False
    on_the_way: int = 0

    @property
    def unreadable(self) -> int:
        """Return how many documents were looked at in vain; never less than none."""
        return max(0, self.total - self.searchable - self.on_the_way)


def answer(user: User, question: Question) -> Answer:
    """Return what search finds for a question within what `user` may see.

    While the embedder is away a search by meaning has no answer, but a page
    that says so.
    """
    try:
        found = search.search(
            user,
            question.q,
            mode=question.mode,
            folder=question.folder,
            content_type=",".join(MEDIA_TYPES.get(question.type, ())),
            batch=question.batch,
        )
    except ProviderError as error:
        return Answer([], message=f"{error.detail} Search by keyword works meanwhile.")
    missing = found.coverage.total - found.coverage.searchable
    return Answer(
        found.hits,
        searchable=found.coverage.searchable,
        total=found.coverage.total,
        message=found.message,
        by_words_only=bool(found.degraded),
        on_the_way=_on_the_way(user, question) if missing else 0,
    )


def _on_the_way(user: User, question: Question) -> int:
    """Count what may be found later; what failed is neither here nor on its way."""
    documents = documents_for(user).filter(status__in=ACTIVE, processed_at=None)
    if question.batch:
        documents = documents.filter(batch=question.batch)
    return documents.count()
