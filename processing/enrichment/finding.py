"""Find what is mentioned in the pages of a document."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from processing.enrichment import addresses, dates, money, names, numbers, phones
from processing.enrichment.entities import MAX_CHARACTERS, Entity, Place
from processing.enrichment.mentions import Kind, Mention
from processing.extraction.pages import Page

MAX_ENTITIES_OF_A_KIND = 1_000
MAX_TEXT = 200

Finder = Callable[[str, str], Iterator[Mention]]

# The surer one comes first: where two see something in the same place, it is right.
FINDERS: tuple[Finder, ...] = (
    addresses.find_dois,
    addresses.find_emails,
    addresses.find_urls,
    numbers.find_ibans,
    numbers.find_vat_numbers,
    numbers.find_isbns,
    numbers.find_cards,
    dates.find_dates,
    money.find_money,
    phones.find_phones,
)


def find_entities(pages: Iterable[Page], language: str, models: Sequence[str] = ()) -> list[Entity]:
    """Return the entities of a text by kind, those that are mentioned most first.

    `language` is ISO 639-1 or empty. `models` are spaCy pipelines; of those the one for the
    language names people, organisations and places. Raises UnsupportedError when one of them
    cannot be loaded.
    """
    found: dict[tuple[Kind, str], Entity] = {}
    model = names.model_for(language, models)
    left, left_for_names = MAX_CHARACTERS, names.MAX_CHARACTERS
    for page in pages:
        text = page.text[:left]
        mentions = _apart(mention for find in FINDERS for mention in find(text, language))
        if model:
            mentions += names.find_names(text[:left_for_names], model)
        for mention in sorted(mentions, key=lambda mention: mention.start):
            entity = found.setdefault(
                (mention.kind, mention.value), Entity(mention.kind, mention.value)
            )
            entity.add(_place(page.number, text, mention))
        left, left_for_names = left - len(text), max(0, left_for_names - len(text))
    return _most_mentioned(found.values())


def _apart(mentions: Iterable[Mention]) -> list[Mention]:
    """Return the mentions without those that overlap an earlier one."""
    taken: set[int] = set()
    kept = []
    for mention in mentions:
        span = range(mention.start, mention.end)
        if taken.isdisjoint(span):
            taken.update(span)
            kept.append(mention)
    return kept


def _place(page: int, text: str, mention: Mention) -> Place:
    written = mention.shown or " ".join(text[mention.start : mention.end].split())
    return Place(page, mention.start, written[:MAX_TEXT])


def _most_mentioned(entities: Iterable[Entity]) -> list[Entity]:
    """Return up to MAX_ENTITIES_OF_A_KIND of each kind; equals in the order of the text."""
    order = list(Kind)
    ranked = sorted(entities, key=lambda entity: (order.index(entity.kind), -entity.count))
    seen: Counter[Kind] = Counter()
    kept = []
    for entity in ranked:
        seen[entity.kind] += 1
        if seen[entity.kind] <= MAX_ENTITIES_OF_A_KIND:
            kept.append(entity)
    return kept
