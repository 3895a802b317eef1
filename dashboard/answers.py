"""What the search page shows: the hits of `processing.search`, and what to say about them."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.forms import Question
from documents.errors import ProviderError
from documents.selectors import User
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
    without_images: bool = False
    facets: Sequence[search.Facet] = ()

    @property
    def on_the_way(self) -> int:
        """Return how many documents may still be found later."""
        return self.total - self.searchable


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
            mentioning=[question.entity] if question.entity else [],
            facets=True,
        )
    except ProviderError as error:
        return Answer([], message=f"{error.detail} Search by keyword works meanwhile.")
    return Answer(
        found.hits,
        searchable=found.coverage.searchable,
        total=found.coverage.total,
        message=found.message,
        by_words_only=found.degraded == "semantic",
        without_images=found.degraded == "images",
        facets=found.facets or (),
    )
