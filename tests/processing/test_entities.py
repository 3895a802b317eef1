"""What is found in a text: all that a careful reader finds, and nothing that only looks like it."""

import time
from pathlib import Path

import pytest
import spacy

from documents.errors import UnsupportedError
from processing.enrichment import Entity, Kind, entities, finding
from processing.enrichment.finding import find_entities
from processing.extraction.pages import Page
from tests.processing.entity_lines import Line, lines
from tests.processing.hostile_texts import PIECES, hostile

HOSTILE_CHARACTERS = 10_000
# Fifty times what the slowest takes; a pattern that tries again and again takes hours.
HOSTILE_CPU_SECONDS = 10


def found_in(text: str, language: str = "en", *models: str) -> list[Entity]:
    return find_entities([Page(1, text)], language, models)


def named(found: list[Entity]) -> set[str]:
    return {f"{entity.kind}:{entity.value}" for entity in found}


@pytest.mark.parametrize("line", lines(), ids=lambda line: line[1][:40])
def test_a_line_mentions_what_a_reader_finds(line: Line) -> None:
    language, text, expected = line

    assert named(found_in(text, language)) == expected


def test_the_lines_are_many_and_half_of_them_traps() -> None:
    expected = [line[2] for line in lines()]

    assert len(expected) >= 60
    assert sum(not one for one in expected) >= 25
    assert {name.partition(":")[0] for one in expected for name in one} == {
        kind.value for kind in Kind if kind not in (Kind.PERSON, Kind.ORGANISATION, Kind.PLACE)
    }


def test_all_ways_to_write_it_are_one_entity_counted_where_it_stands() -> None:
    pages = [Page(1, "Due 12 May 2024."), Page(3, "On May 12, 2024 or 2024-05-12")]

    (day,) = find_entities(pages, "en")

    assert (day.value, day.count) == ("2024-05-12", 3)
    assert [(place.page, place.start, place.text) for place in day.places] == [
        (1, 4, "12 May 2024"),
        (3, 3, "May 12, 2024"),
        (3, 19, "2024-05-12"),
    ]


def test_what_is_mentioned_most_comes_first_within_its_kind() -> None:
    found = found_in("a@x.org b@x.org b@x.org 2024-05-12")

    assert [entity.value for entity in found] == ["2024-05-12", "b@x.org", "a@x.org"]


def test_the_number_of_a_card_is_kept_nowhere() -> None:
    (card,) = found_in("Card 4111 1111 1111 1111.")

    assert (card.value, card.places[0].text) == ("visa ****1111", "**** 1111")
    assert "4111" not in str(card.to_json())


def test_an_entity_crosses_a_process_border_unchanged() -> None:
    (entity,) = found_in("Ask a@x.org or A@x.org.")

    assert Entity.from_json(entity.to_json()) == entity


def test_everything_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MAX_ENTITIES_OF_A_KIND", 3)
    monkeypatch.setattr(entities, "MAX_PLACES", 2)
    monkeypatch.setattr(finding, "MAX_CHARACTERS", 60)
    many = " ".join(f"{letter}@x.org" for letter in "aabcdef")

    found = find_entities([Page(1, many), Page(2, "beyond@x.org")], "en")

    assert [(entity.value, entity.count) for entity in found] == [
        ("a@x.org", 2),
        ("b@x.org", 1),
        ("c@x.org", 1),
    ]
    assert [len(entity.places) for entity in found] == [2, 1, 1]


def test_of_many_places_the_first_are_known_and_all_are_counted() -> None:
    (entity,) = found_in("a@x.org " * 50)

    assert (entity.count, len(entity.places)) == (50, entities.MAX_PLACES)


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_longer_than_its_length(piece: str) -> None:
    text = hostile(piece, HOSTILE_CHARACTERS)
    started = time.process_time()

    for language in ("de", "fr"):
        found_in(text, language)

    assert time.process_time() - started < HOSTILE_CPU_SECONDS


# --- names --------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny English pipeline, as a folder."""
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns(  # type: ignore[attr-defined]  # a pipe is any callable to spaCy
        [
            {"label": "PERSON", "pattern": [{"LOWER": "ada"}, {"LOWER": "lovelace"}]},
            {"label": "ORG", "pattern": "Acme Corp"},
            {"label": "GPE", "pattern": "London"},
            {"label": "CARDINAL", "pattern": "three"},
        ]
    )
    folder = tmp_path_factory.mktemp("models") / "en_tiny"
    pipeline.to_disk(folder)
    return str(folder)


def test_a_model_names_people_organisations_and_places(model: str) -> None:
    text = "Ada Lovelace of Acme Corp sent three to London. ADA LOVELACE wrote to a@x.org."

    found = found_in(text, "en", model)

    assert [(entity.kind, entity.value, entity.count) for entity in found] == [
        ("person", "ada lovelace", 2),
        ("organisation", "acme corp", 1),
        ("place", "london", 1),
        ("email", "a@x.org", 1),
    ]
    assert [place.text for place in found[0].places] == ["Ada Lovelace", "ADA LOVELACE"]


@pytest.mark.parametrize("language", ["de", ""])
def test_a_model_says_nothing_of_another_language(model: str, language: str) -> None:
    assert found_in("Ada Lovelace in London", language, model) == []


def test_names_have_their_place_in_a_long_text(model: str) -> None:
    text = "word " * 5_000 + "Ada Lovelace"

    (entity,) = found_in(text, "en", model)

    assert entity.places[0].start == text.index("Ada")


@pytest.mark.parametrize("kind", ["missing", "without names"])
def test_a_model_that_cannot_name_anything_is_refused(tmp_path: Path, kind: str) -> None:
    if kind == "without names":
        spacy.blank("en").to_disk(tmp_path / "model")

    with pytest.raises(UnsupportedError, match="ENTITY_MODEL"):
        found_in("Ada", "en", str(tmp_path / "model"))
