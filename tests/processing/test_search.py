"""What search finds, and what it never does."""

from typing import Any

import pytest

from documents.errors import (
    InvalidError,
    ProviderError,
    ProviderRefusedError,
    RateLimitError,
)
from documents.models import Batch
from processing.search import search, semantic
from tests.processing.search_library import (
    EAST,
    LAKE,
    NORTH,
    SOUTH_WEST,
    CompassEmbedder,
    make_readable,
    paths,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedder")]


# --- words ----------------------------------------------------------------------


def test_words_are_stemmed_and_one_of_them_is_enough(user: Any, batch: Batch) -> None:
    make_readable(batch, LAKE)

    results = search(user, "where do lanterns swim", mode="keyword")

    assert paths(results) == ["a.txt"]


def test_rare_word_weighs_more_than_a_common_one(user: Any, batch: Batch) -> None:
    for number in range(8):
        make_readable(batch, "A report about the harbour and harbour traffic.", path=f"{number}")
    make_readable(batch, "A report that mentions the zeppelin in passing.", path="rare")

    results = search(user, "harbour zeppelin report", mode="keyword")

    assert paths(results)[0] == "rare"
    assert len(results.hits) == 9


def test_word_said_often_ranks_higher(user: Any, batch: Batch) -> None:
    make_readable(batch, "tide and wind and rain and snow and fog", path="once")
    make_readable(batch, "tide and tide and tide and tide and fog", path="often")

    assert paths(search(user, "tide", mode="keyword")) == ["often", "once"]


def test_quoted_words_must_occur_as_they_stand(user: Any, batch: Batch) -> None:
    make_readable(batch, "The red house near the old mill.", path="phrase")
    make_readable(batch, "The house is old; its door is red.", path="scattered")

    assert paths(search(user, '"red house"', mode="keyword")) == ["phrase"]
    assert paths(search(user, "red house", mode="keyword")) == ["phrase", "scattered"]


def test_phrase_that_does_not_occur_is_named_as_the_reason(user: Any, batch: Batch) -> None:
    make_readable(batch, LAKE, vectors=[NORTH])

    results = search(user, '"lake lantern"')

    assert results.hits == []
    assert "quotation marks" in results.message


@pytest.mark.parametrize("query", ["the of and", '"the of"', "?!", "'", "\\", "a' | 'b", "<-> & !"])
def test_question_without_a_word_of_weight_finds_nothing_by_keyword(
    user: Any, batch: Batch, query: str
) -> None:
    make_readable(batch, LAKE)

    results = search(user, query, mode="keyword")

    assert results.hits == []
    assert results.message


@pytest.mark.parametrize("word", ["Überfall", "здание", "建物", "naïve", "O'Brien", "c:\\temp\\x"])
def test_words_of_any_script_are_found(user: Any, batch: Batch, word: str) -> None:
    make_readable(batch, f"before {word} after", path="with")
    make_readable(batch, "something else altogether", path="without")

    assert paths(search(user, word, mode="keyword")) == ["with"]


# --- meaning ----------------------------------------------------------------------


def test_meaning_ranks_by_cosine(user: Any, batch: Batch) -> None:
    make_readable(batch, "first", path="near", vectors=[(0.8, 0.6)])
    make_readable(batch, "second", path="nearest", vectors=[NORTH])

    assert paths(search(user, "anything", mode="semantic")) == ["nearest", "near"]


def test_what_is_unlike_the_question_is_no_match(user: Any, batch: Batch) -> None:
    make_readable(batch, "first", vectors=[EAST])
    make_readable(batch, "second", path="b.txt", vectors=[SOUTH_WEST])

    results = search(user, "anything")

    assert results.hits == []
    assert results.message == "No good match was found."


def test_vectors_of_another_model_are_not_compared(user: Any, batch: Batch) -> None:
    make_readable(batch, "first", vectors=[(1.0, 0.0, 0.0)], model="an-older-one")
    make_readable(batch, "second", path="b.txt", vectors=[NORTH])

    assert paths(search(user, "anything", mode="semantic")) == ["b.txt"]


def test_document_in_both_lists_comes_first(user: Any, batch: Batch) -> None:
    make_readable(batch, "a lantern", path="word", vectors=[EAST])
    make_readable(batch, "a light", path="meaning", vectors=[NORTH])
    make_readable(batch, "a lantern there", path="both", vectors=[(0.9, 0.436)])

    results = search(user, "lantern")

    assert paths(results)[0] == "both"
    assert set(paths(results)) == {"word", "meaning", "both"}


def test_document_is_shown_once_at_its_best_page(user: Any, batch: Batch) -> None:
    make_readable(batch, "nothing here", "the lantern, a lantern, lantern", "one lantern of many")

    (hit,) = search(user, "lantern", mode="keyword").hits

    assert hit.page == 2


def test_hybrid_goes_on_with_words_while_the_embedder_is_away(
    user: Any, batch: Batch, embedder: CompassEmbedder
) -> None:
    make_readable(batch, LAKE, vectors=[NORTH])
    embedder.error = ProviderError("The embedding service does not answer.")

    results = search(user, "lantern")

    assert paths(results) == ["a.txt"]
    assert results.degraded == "semantic"


@pytest.mark.parametrize(
    "error", [ProviderError("away"), RateLimitError("slower"), ProviderRefusedError("no")]
)
def test_meaning_alone_cannot_be_asked_while_the_embedder_is_away(
    user: Any, batch: Batch, embedder: CompassEmbedder, error: Any
) -> None:
    make_readable(batch, LAKE, vectors=[NORTH])
    embedder.error = error

    with pytest.raises(ProviderError) as raised:
        search(user, "lantern", mode="semantic")

    assert raised.value.status == 503


def test_real_model_finds_what_shares_no_word_with_the_question(
    user: Any, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from processing.embeddings.registry import get_embedder

    monkeypatch.setattr(semantic, "get_embedder", get_embedder)
    texts = {
        "pet.txt": "The kitten slept on the warm windowsill.",
        "bread.txt": "Knead the dough and let the loaf rise overnight.",
        "court.txt": "The judge dismissed the appeal for lack of evidence.",
    }
    vectors = get_embedder().embed(list(texts.values()))
    for (path, text), vector in zip(texts.items(), vectors, strict=True):
        model = get_embedder().model
        make_readable(batch, text, path=path, vectors=[vector.tolist()], model=model)

    assert paths(search(user, "a young cat taking a nap"))[:1] == ["pet.txt"]
    assert paths(search(user, "quarterly revenue in asia")) == []


# --- what is shown ----------------------------------------------------------------


def test_markup_in_a_document_is_shown_as_text(user: Any, batch: Batch) -> None:
    text = 'A <script>alert("x")</script> & a <mark>lantern</mark> \x02lantern\x03 &lt;b&gt;.'
    make_readable(batch, text)

    (hit,) = search(user, "lantern", mode="keyword").hits

    assert hit.snippet == (
        "A &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; a &lt;mark&gt;"
        "<mark>lantern</mark>&lt;/mark&gt; <mark>lantern</mark> &amp;lt;b&amp;gt;."
    )


def test_snippet_is_short_and_its_marks_are_closed(user: Any, batch: Batch) -> None:
    make_readable(batch, " ".join(["lantern" * 9] * 20) + " lantern " + "lantern" * 200)

    (hit,) = search(user, "lantern " + "lantern" * 9, mode="keyword").hits

    assert len(hit.snippet.replace("<mark>", "").replace("</mark>", "")) <= 241
    assert hit.snippet.count("<mark>") == hit.snippet.count("</mark>") > 0


def test_snippet_shows_where_the_text_matches(user: Any, batch: Batch) -> None:
    make_readable(batch, "filler words go here " * 60 + "then the lantern is lit")

    (hit,) = search(user, "lanterns", mode="keyword").hits

    assert "<mark>lantern</mark>" in hit.snippet


def test_reasons_are_told_on_demand(user: Any, batch: Batch) -> None:
    make_readable(batch, LAKE, vectors=[(0.6, 0.8)])

    (hit,) = search(user, "lanterns of gold", explain=True).hits
    (plain,) = search(user, "lanterns of gold").hits

    assert hit.why is not None
    assert (hit.why.keyword_rank, hit.why.semantic_rank) == (1, 1)
    assert hit.why.cosine == pytest.approx(0.6, abs=0.001)
    assert hit.why.terms == ["lantern"]
    assert plain.why is None


def test_limit_bounds_the_hits_and_order_is_stable(user: Any, batch: Batch) -> None:
    for number in range(6):
        make_readable(batch, LAKE, path=f"{number}.txt", vectors=[NORTH])

    first = paths(search(user, "lantern", limit=4))

    assert len(first) == 4
    assert first == paths(search(user, "lantern", limit=6))[:4]


# --- bad questions ----------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        {"query": ""},
        {"query": " \n "},
        {"query": "a\x00b"},
        {"query": "x" * 1001},
        {"query": "x", "mode": "psychic"},
        {"query": "x", "limit": 0},
        {"query": "x", "limit": 101},
        {"query": "x", "folder": "a\x00"},
        {"query": "x", "content_type": "t" * 1001},
    ],
)
def test_question_out_of_bounds_is_refused(user: Any, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        search(user, **bad)


@pytest.mark.parametrize("query", ["x" * 1000, "lone \ud800 surrogate", "'; drop table", "%s {0}"])
def test_odd_question_is_a_question(user: Any, batch: Batch, query: str) -> None:
    make_readable(batch, LAKE)

    assert search(user, query).hits == []


def test_number_of_queries_does_not_grow_with_the_hits(
    user: Any, batch: Batch, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_readable(batch, LAKE, path=f"{number}.txt", vectors=[NORTH])

    with django_assert_max_num_queries(13):
        assert len(search(user, "lantern evening", limit=30, explain=True).hits) == 30
