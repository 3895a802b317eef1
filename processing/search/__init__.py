"""Find documents by words and by meaning; `search` is the one way in."""

from processing.search.answer import DEFAULT_LIMIT, search
from processing.search.question import MAX_LIMIT, Mode
from processing.search.results import Coverage, Facet, Hit, Results, Why

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_LIMIT",
    "Coverage",
    "Facet",
    "Hit",
    "Mode",
    "Results",
    "Why",
    "search",
]
