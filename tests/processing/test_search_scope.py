"""Where search looks: one's own workspaces, the filters, what is finished and current."""

from typing import Any

import pytest

from documents.errors import NotFoundError
from documents.models import Batch, Document
from documents.services.moves import move
from documents.states import Status
from processing.search import search
from tests.factories import make_batch, make_document, make_user
from tests.processing.search_library import (
    EAST,
    LAKE,
    NORTH,
    add_chunks,
    make_readable,
    paths,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("embedder")]


@pytest.mark.parametrize("mode", ["hybrid", "keyword", "semantic"])
def test_another_workspace_is_never_seen(user: Any, batch: Batch, mode: str) -> None:
    make_readable(batch, LAKE, path="mine", vectors=[NORTH])
    stranger = make_user()
    foreign = make_batch(stranger.memberships.get().workspace)
    make_readable(foreign, LAKE, path="theirs", vectors=[NORTH])

    results = search(user, "lantern", mode=mode)

    assert paths(results) == ["mine"]
    assert results.coverage.total == 1
    assert paths(search(stranger, "lantern", mode=mode)) == ["theirs"]


def test_folder_of_the_same_name_elsewhere_is_not_seen(user: Any, batch: Batch) -> None:
    foreign = make_batch(make_user().memberships.get().workspace)
    make_readable(foreign, LAKE, path="shared/theirs.txt", vectors=[NORTH])

    results = search(user, "lantern", folder="shared")

    assert (results.hits, results.coverage.total) == ([], 0)


def test_batch_of_another_workspace_does_not_exist(user: Any) -> None:
    foreign = make_batch(make_user().memberships.get().workspace)

    with pytest.raises(NotFoundError):
        search(user, "lantern", batch=foreign.id)


def test_user_without_a_workspace_finds_nothing(user: Any, batch: Batch) -> None:
    make_readable(batch, LAKE)
    user.memberships.all().delete()

    assert search(user, "lantern").hits == []


def test_folder_means_it_and_what_lies_below(user: Any, batch: Batch) -> None:
    for path in ("50%_off/a", "50%_off/deep/b", "50%_offer/c", "50 xoff/d", "e"):
        make_readable(batch, LAKE, path=path)

    results = search(user, "lantern", mode="keyword", folder="/50%_off/")

    assert sorted(paths(results)) == ["50%_off/a", "50%_off/deep/b"]
    assert results.coverage.total == 2


def test_folder_is_found_however_its_accents_are_written(user: Any, batch: Batch) -> None:
    make_readable(batch, LAKE, path="Gäste/a.txt")

    assert paths(search(user, "lantern", mode="keyword", folder="Ga\u0308ste")) == ["Gäste/a.txt"]


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("application/pdf", ["a.pdf"]),
        ("image/*", ["b.png"]),
        ("application/pdf, text/plain", ["a.pdf", "c.txt"]),
        ("text/csv", []),
    ],
)
def test_types_narrow_the_search(
    user: Any, batch: Batch, content_type: str, found: list[str]
) -> None:
    make_readable(batch, LAKE, path="a.pdf", content_type="application/pdf")
    make_readable(batch, LAKE, path="b.png", content_type="image/png")
    make_readable(batch, LAKE, path="c.txt")

    results = search(user, "lantern", mode="keyword", content_type=content_type)

    assert sorted(paths(results)) == found


def test_batch_narrows_the_search(user: Any, batch: Batch) -> None:
    other = make_batch(batch.workspace)
    make_readable(batch, LAKE, path="first")
    make_readable(other, LAKE, path="second")

    results = search(user, "lantern", mode="keyword", batch=other.id)

    assert paths(results) == ["second"]


def test_duplicate_inside_the_filter_is_shown_under_its_own_path(user: Any, batch: Batch) -> None:
    other = make_batch(batch.workspace)
    original = make_readable(batch, LAKE, path="a/original.txt", vectors=[NORTH])
    copy = make_document(other, path="b/copy.txt", status=Status.DUPLICATE, duplicate_of=original)

    for narrowed in ({"folder": "b"}, {"batch": other.id}):
        (hit,) = search(user, "lantern", **narrowed).hits
        assert (hit.path, hit.document) == ("b/copy.txt", copy.id)
    assert paths(search(user, "lantern", folder="a")) == ["a/original.txt"]
    assert paths(search(user, "lantern")) == ["a/original.txt"]


def test_cancelled_document_is_invisible(user: Any, batch: Batch) -> None:
    document = make_readable(batch, LAKE, vectors=[NORTH], status=Status.PROCESSING)
    assert search(user, "lantern").hits

    move(Document.objects.filter(id=document.id), Status.CANCELLED)

    results = search(user, "lantern")
    assert (results.hits, results.coverage.searchable, results.coverage.total) == ([], 0, 0)


def test_document_that_failed_after_extraction_is_found_by_its_words(
    user: Any, batch: Batch
) -> None:
    make_readable(batch, LAKE, status=Status.FAILED)

    assert paths(search(user, "lantern")) == ["a.txt"]


def test_text_of_an_earlier_generation_is_invisible(user: Any, batch: Batch) -> None:
    document = make_readable(batch, LAKE, vectors=[NORTH], generation=1)
    Document.objects.filter(id=document.id).update(generation=2, live_generation=2)
    add_chunks(document, "a ferry in the fog", vectors=[EAST], generation=2)

    assert search(user, "lantern").hits == []
    assert paths(search(user, "ferry")) == ["a.txt"]


def test_text_that_is_being_written_is_not_searched(user: Any, batch: Batch) -> None:
    make_readable(batch, LAKE, processed_at=None, status=Status.PROCESSING)

    assert search(user, "lantern").hits == []


def test_coverage_counts_what_is_here_or_on_its_way(user: Any, batch: Batch) -> None:
    original = make_readable(batch, LAKE, path="ready")
    make_document(batch, status=Status.DUPLICATE, duplicate_of=original)
    pending = make_document(batch, status=Status.PROCESSING)
    make_document(batch, status=Status.DUPLICATE, duplicate_of=pending)
    make_document(batch, status=Status.AWAITING)
    hopeless = make_document(batch, status=Status.FAILED)
    make_document(batch, status=Status.DUPLICATE, duplicate_of=hopeless)
    for status in (Status.CANCELLED, Status.EXPIRED, Status.REJECTED):
        make_document(batch, status=status)

    coverage = search(user, "lantern").coverage

    assert (coverage.searchable, coverage.total) == (2, 5)


def test_nothing_searchable_yet_is_said(user: Any, batch: Batch) -> None:
    make_document(batch, status=Status.PROCESSING)

    assert search(user, "lantern").message == "Nothing can be searched here yet."
