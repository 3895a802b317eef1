"""People, organisations and places, by a spaCy pipeline that was installed for the language."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from documents.errors import UnsupportedError
from processing.enrichment.mentions import Kind, Mention

# A pipeline looks at some tens of thousands of characters a second, and needs a gigabyte
# for a hundred thousand of them at once.
MAX_CHARACTERS = 500_000
SLICE_CHARACTERS = 10_000
MAX_NAME = 100

_KINDS = {
    **dict.fromkeys(("PERSON", "PER"), Kind.PERSON),
    "ORG": Kind.ORGANISATION,
    **dict.fromkeys(("GPE", "LOC"), Kind.PLACE),
}
# What finding names does not need, and takes most of the time.
_LEFT_OUT = ("tagger", "parser", "attribute_ruler", "lemmatizer", "morphologizer")
# A pipeline for any language says so.
_ANY = "xx"


@cache
def load(model: str) -> Any:
    """Return the pipeline of this package or folder; nothing is fetched.

    Raises UnsupportedError when there is none, or it finds no names.
    """
    import spacy

    try:
        pipeline = spacy.load(model, exclude=_LEFT_OUT)
    except (OSError, ImportError, ValueError) as error:
        raise UnsupportedError(
            f"ENTITY_MODEL {model} cannot be loaded.", cause=str(error)
        ) from error
    if not {"ner", "entity_ruler", "span_ruler"} & set(pipeline.pipe_names):
        raise UnsupportedError(f"ENTITY_MODEL {model} finds no names: it has no ner.")
    return pipeline


def model_for(language: str, models: Sequence[str]) -> str:
    """Return the first model for the language; nothing when none is for it."""
    fitting = (model for model in models if load(model).lang in (language, _ANY))
    return next(fitting, "")


def find_names(text: str, model: str) -> Iterator[Mention]:
    """Yield the people, organisations and places that the pipeline sees."""
    starts = list(_slices(text))
    slices = [text[start:end] for start, end in starts]
    for (start, _), document in zip(starts, load(model).pipe(slices), strict=True):
        for name in document.ents:
            kind = _KINDS.get(name.label_)
            value = " ".join(name.text.split())
            if kind and len(value) <= MAX_NAME and any(map(str.isalpha, value)):
                at = start + name.start_char
                yield Mention(kind, value.casefold(), at, at + len(name.text))


def _slices(text: str) -> Iterator[tuple[int, int]]:
    """Yield where to cut a text, at line ends or at least between words where there are any."""
    start = 0
    while start < len(text):
        end = start + SLICE_CHARACTERS
        if end < len(text):
            cut = max(text.rfind("\n", start, end), text.rfind(" ", start, end))
            end = cut + 1 if cut > start else end
        yield start, end
        start = end
