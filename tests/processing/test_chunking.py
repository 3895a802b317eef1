"""Chunks cover their page, stay within it and within their limit, and respect its structure."""

import random
import re
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from processing.chunking import ChunkSpan, chunk
from processing.extraction import Heading, Page

SENTENCE = "The grey heron stands in the shallow water and waits for fish. "


def words(texts: Sequence[str]) -> list[int]:
    return [len(re.findall(r"\w{1,8}|[^\w\s]", text)) for text in texts]


def characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def octets(texts: Sequence[str]) -> list[int]:
    return [len(text.encode()) for text in texts]


def page_of(text: str, *headings: str, number: int = 1) -> Page:
    return Page(number, text, tuple(Heading(text.index(h), h) for h in headings))


def random_page(rng: random.Random, number: int) -> Page:
    """Make a page of everything that is awkward: long words, no blanks, blanks only, scripts."""
    atoms = [
        *(
            "word",
            "Sentence.",
            "x" * 40,
            "日本語。",
            "é",
            ". ",
            "! ",
            '"Quote." ',
            "a; b",
            "🙂",
            ",",
        ),
        *("\n", "\n\n", "\t", "  ", "\n \n", "\u3000"),
    ]
    parts = (rng.choice(atoms) + rng.choice([" ", "", " "]) for _ in range(rng.randrange(200)))
    text = "".join(parts).strip()
    offsets = {rng.randrange(len(text)) for _ in range(rng.randrange(4))} if text else set()
    headings = (Heading(at, f"H{at}") for at in sorted(offsets) if not text[at].isspace())
    return Page(number, text, tuple(headings))


def assert_sound(
    pages: Sequence[Page],
    chunks: Sequence[ChunkSpan],
    count_tokens: Callable[[Sequence[str]], list[int]],
    max_tokens: int,
) -> None:
    texts = {page.number: page.text for page in pages}
    covered: dict[int, set[int]] = {page.number: set() for page in pages}
    assert [one.ordinal for one in chunks] == list(range(len(chunks)))
    for one in chunks:
        assert one.text == texts[one.page][one.start : one.end]
        assert one.text == one.text.strip() != ""
        assert count_tokens([one.text])[0] <= max_tokens
        covered[one.page].update(range(one.start, one.end))
    for page in pages:
        visible = {at for at, character in enumerate(page.text) if not character.isspace()}
        assert visible <= covered[page.number]


@pytest.mark.parametrize("count_tokens", [words, characters, octets])
def test_whatever_the_text_chunks_cover_it_and_keep_their_limit(
    count_tokens: Callable[[Sequence[str]], list[int]],
) -> None:
    for seed in range(250):
        rng = random.Random(seed)
        pages = [random_page(rng, number) for number in range(1, rng.randrange(2, 5))]
        target = rng.choice([10, 20, 60, 200])
        limit = target + rng.choice([0, target // 4, target])

        chunks = chunk(
            pages,
            count_tokens,
            target_tokens=target,
            overlap_tokens=rng.choice([0, target // 7, target // 3]),
            max_tokens=limit,
        )

        assert_sound(pages, chunks, count_tokens, limit)


def test_chunks_are_about_as_long_as_asked_for() -> None:
    text = "\n\n".join(SENTENCE * 4 for _ in range(100)).strip()

    sizes = words([one.text for one in chunk([page_of(text)], words)])

    assert max(sizes) <= 250
    assert 150 <= sum(sizes[:-1]) / len(sizes[:-1]) <= 210


def test_a_chunk_repeats_a_little_of_the_one_before() -> None:
    text = (SENTENCE * 60).strip()

    chunks = chunk([page_of(text)], words)

    for before, after in pairwise(chunks):
        assert before.start < after.start < before.end
        repeated = text[after.start : before.end]
        assert words([repeated])[0] <= 30


def test_sentences_too_long_to_repeat_give_their_last_words() -> None:
    long_sentence = "word " * 89 + "end. "
    text = (long_sentence * 5).strip()

    chunks = chunk([page_of(text)], words)

    overlaps = [text[b.start : a.end] for a, b in pairwise(chunks)]
    assert all(0 < words([overlap])[0] <= 35 for overlap in overlaps)
    assert all(text[one.start - 1].isspace() for one in chunks[1:])


def test_a_heading_begins_a_chunk_and_names_it() -> None:
    text = "Intro text.\n\nFirst part\n\nBody of one.\n\nSecond part\n\nBody of two."

    chunks = chunk([page_of(text, "First part", "Second part")], words)

    assert [(one.heading, one.text) for one in chunks] == [
        ("", "Intro text."),
        ("First part", "First part\n\nBody of one."),
        ("Second part", "Second part\n\nBody of two."),
    ]


def test_headings_in_a_row_stay_with_the_text_below_them() -> None:
    text = "Chapter\n\nSection\n\nBody."

    (only,) = chunk([page_of(text, "Chapter", "Section")], words)

    assert (only.text, only.heading) == (text, "Section")


def test_nothing_is_repeated_across_a_heading() -> None:
    text = f"{SENTENCE * 20}\n\nNext part\n\n{SENTENCE * 20}".strip()

    chunks = chunk([page_of(text, "Next part")], words)

    starts = [one for one in chunks if one.text.startswith("Next part")]
    assert len(starts) == 1
    assert all(one.end <= starts[0].start or one.start >= starts[0].start for one in chunks)


def test_a_heading_holds_until_the_next_one_also_over_pages() -> None:
    pages = [
        page_of("Chapter one\n\nText.", "Chapter one", number=1),
        page_of("More text.", number=2),
        page_of("", number=3),
        page_of("Still the same.\n\nChapter two\n\nOther.", "Chapter two", number=4),
    ]

    chunks = chunk(pages, words)

    assert [(one.page, one.heading) for one in chunks] == [
        (1, "Chapter one"),
        (2, "Chapter one"),
        (4, "Chapter one"),
        (4, "Chapter two"),
    ]


def test_paragraphs_are_kept_whole_where_they_fit() -> None:
    paragraphs = [f"{number} {SENTENCE * 8}".strip() for number in range(10)]
    text = "\n\n".join(paragraphs)

    chunks = chunk([page_of(text)], words, overlap_tokens=0)

    assert all(any(one.text.endswith(p) for p in paragraphs) for one in chunks)
    assert all(one.text.split(" ")[0].isdigit() for one in chunks)


def test_rows_of_a_table_are_not_cut_where_they_fit() -> None:
    rows = [f"Name: Bird No. {n} Jr. The Great; Count: {n}; Place: Lake" for n in range(200)]

    chunks = chunk([page_of("\n".join(rows))], words)

    assert len(chunks) > 5
    assert all(line in rows for one in chunks for line in one.text.split("\n"))


def test_the_end_of_a_section_is_not_left_as_a_crumb() -> None:
    text = (SENTENCE * 16).strip()
    assert 200 < words([text])[0] < 250

    assert len(chunk([page_of(text)], words)) == 1


def test_a_text_without_a_single_blank_is_cut_by_characters() -> None:
    text = "x" * 10_000

    chunks = chunk([page_of(text)], characters)

    assert_sound([page_of(text)], chunks, characters, 250)


def test_pages_without_text_have_no_chunks() -> None:
    assert chunk([], words) == []
    assert chunk([Page(1, ""), Page(2, " \n ")], words) == []


@pytest.mark.parametrize(
    ("target", "overlap", "limit"), [(200, 200, 250), (200, 30, 199), (0, 0, 9)]
)
def test_sizes_that_contradict_each_other_are_refused(
    target: int, overlap: int, limit: int
) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        chunk([], words, target_tokens=target, overlap_tokens=overlap, max_tokens=limit)


def test_tokens_are_counted_in_few_calls_and_each_text_about_once() -> None:
    calls: list[int] = []

    def counting(texts: Sequence[str]) -> list[int]:
        calls.append(sum(len(text) for text in texts))
        return words(texts)

    pages = [page_of(SENTENCE * 50, number=number) for number in range(1, 201)]

    chunk(pages, counting)

    assert len(calls) <= 3
    assert sum(calls) < 1.5 * sum(len(page.text) for page in pages)


def test_three_thousand_pages_take_seconds() -> None:
    lines = "\n".join(f"Line {n}: {SENTENCE}" for n in range(25))
    pages = [page_of(lines, number=number) for number in range(1, 3001)]

    began = time.process_time()
    chunks = chunk(pages, characters_by_four)

    assert len(chunks) > 3000
    assert time.process_time() - began < 20


def characters_by_four(texts: Sequence[str]) -> list[int]:
    return [len(text) // 4 + 1 for text in texts]


def test_a_long_run_of_blanks_takes_no_longer_than_its_length() -> None:
    text = "start" + " " * 300_000 + "\t" * 300_000 + "end." + " " * 300_000 + "x"

    began = time.process_time()
    chunks = chunk([page_of(text)], words)

    assert time.process_time() - began < 5
    assert chunks[0].text.startswith("start")
