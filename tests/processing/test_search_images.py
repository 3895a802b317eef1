"""Images are found by what they show, beside what is found by words and meaning."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from documents.models import Batch, Document
from documents.states import Status
from processing.embeddings.towers import TwoTowers
from processing.models import ImageVector
from processing.search import search
from processing.stages import embed
from tests.factories import make_batch, make_user
from tests.processing.image_models import make_image_model
from tests.processing.picture_samples import BLUE, GREEN, RED, png, seen
from tests.processing.search_library import (
    EAST,
    NORTH,
    CompassEmbedder,
    make_readable,
    paths,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm")]
# What a tiny model says of a pure colour: much of the colour, some of being an image at all.
LOOKS = {"red": (0.9, 0, 0, 0.44, 0), "blue": (0, 0, 0.9, 0.44, 0), "grey": (0, 0, 0, 1, 0)}


@pytest.fixture(autouse=True)
def provider(embedder: CompassEmbedder, monkeypatch: pytest.MonkeyPatch) -> CompassEmbedder:
    """Meaning points where no text and no name of an image does."""
    embedder.direction = EAST
    monkeypatch.setattr(embed, "get_embedder", lambda: embedder)
    return embedder


@pytest.fixture
def model(settings: Settings, tmp_path: Path) -> str:
    """Return the name of the model that is set."""
    settings.IMAGE_MODEL_PATH = str(make_image_model(tmp_path / "colours"))
    return TwoTowers(tmp_path / "colours").model


def picture(
    batch: Batch, path: str, *, model: str, looks: Any = LOOKS["red"], **fields: Any
) -> Document:
    """Return an image that was looked at, whose name is all its text."""
    fields = {"content_type": "image/png", "vectors": [NORTH], **fields}
    document = make_readable(batch, path, path=path, **fields)
    ImageVector.objects.create(
        workspace=batch.workspace, document=document, embedding=list(looks), model=model
    )
    return document


def only(hits: list[Any]) -> Any:
    (hit,) = hits
    return hit


def test_a_red_picture_is_found_by_what_it_shows(
    batch: Batch, user: Any, model: str, provider: CompassEmbedder
) -> None:
    provider.direction = NORTH
    seen(batch, png(RED), "holiday/IMG_1.png")
    seen(batch, png(BLUE), "holiday/IMG_2.png")
    seen(batch, png(GREEN), "holiday/IMG_3.png")
    provider.direction = EAST

    for mode in ("hybrid", "semantic"):
        hit = only(search(user, "red", mode=mode).hits)

        assert (hit.name, hit.shows_it, hit.page) == ("IMG_1.png", True, 1)
    assert paths(search(user, "a photo of something blue")) == ["holiday/IMG_2.png"]
    assert search(user, "red", mode="keyword").hits == []


def test_without_a_model_search_is_as_it_was(batch: Batch, user: Any, settings: Settings) -> None:
    picture(batch, "red one.png", model="of another time")
    make_readable(batch, "A red gate.", path="gate.txt", vectors=[EAST])

    results = search(user, "red", explain=True)

    assert paths(results) == ["gate.txt", "red one.png"]
    assert results.degraded == ""
    for hit in results.as_json()["hits"]:
        assert "shows_it" not in hit
        assert set(hit["why"]) == {"keyword_rank", "semantic_rank", "cosine", "terms"}


def test_a_question_about_texts_is_not_flooded_by_images(
    batch: Batch, user: Any, model: str
) -> None:
    make_readable(batch, "The notice period is three months.", path="a.txt", vectors=[NORTH])
    for number in range(30):
        picture(batch, f"IMG_{number}.png", model=model, looks=LOOKS["red"])

    assert paths(search(user, "notice period of the lease")) == ["a.txt"]
    assert search(user, "notice", mode="semantic").hits == []


def test_what_fits_every_image_finds_none(batch: Batch, user: Any, model: str) -> None:
    picture(batch, "IMG_1.png", model=model, looks=LOOKS["grey"])
    picture(batch, "IMG_2.png", model=model)

    assert search(user, "a photo").hits == []


def test_beside_an_image_that_is_meant_one_that_hardly_is_does_not_show(
    batch: Batch, user: Any, model: str
) -> None:
    picture(batch, "reddish.png", model=model, looks=(0.6, 0, 0.7, 0.4, 0))
    picture(batch, "faint.png", model=model, looks=(0.5, 0, 0.78, 0.38, 0))

    assert paths(search(user, "red")) == ["reddish.png", "faint.png"]
    picture(batch, "scarlet.png", model=model)

    assert paths(search(user, "red")) == ["scarlet.png"]


def test_an_image_that_is_named_so_and_looks_so_comes_first(
    batch: Batch, user: Any, model: str
) -> None:
    make_readable(batch, "red red red", path="a.txt", vectors=[NORTH])
    picture(batch, "red but named otherwise.png", model=model)
    picture(batch, "IMG.png", model=model)
    picture(batch, "blue.png", model=model, looks=LOOKS["blue"])

    results = search(user, "red")

    assert paths(results)[0] == "red but named otherwise.png"
    assert set(paths(results)) == {"red but named otherwise.png", "a.txt", "IMG.png"}
    shown = {hit.path: hit.shows_it for hit in results.hits}
    assert shown == {"red but named otherwise.png": True, "a.txt": False, "IMG.png": True}


def test_an_image_is_shown_at_the_text_in_it_that_matches(
    batch: Batch, user: Any, model: str
) -> None:
    document = make_readable(
        batch, "A red letter day", "poster.png", path="poster.png", content_type="image/png"
    )
    ImageVector.objects.create(
        workspace=batch.workspace, document=document, embedding=list(LOOKS["red"]), model=model
    )

    hit = only(search(user, "red", explain=True).hits)

    assert (hit.snippet, hit.shows_it) == ("A <mark>red</mark> letter day", True)
    assert hit.why is not None
    assert (hit.why.keyword_rank, hit.why.image_rank) == (1, 1)


def test_vectors_of_another_model_are_not_compared(batch: Batch, user: Any, model: str) -> None:
    picture(batch, "a.png", model="another@1", looks=(1.0, 0.0))
    picture(batch, "b.png", model=model)

    assert paths(search(user, "red")) == ["b.png"]


def test_quoted_words_are_looked_for_in_texts_alone(batch: Batch, user: Any, model: str) -> None:
    picture(batch, "IMG_1.png", model=model)

    assert search(user, '"red"').hits == []


def test_images_are_found_within_what_was_asked_for(batch: Batch, user: Any, model: str) -> None:
    picture(batch, "in/a.png", model=model)
    picture(batch, "out/b.png", model=model)
    elsewhere = make_batch(batch.workspace, created_by=user)
    picture(elsewhere, "in/c.png", model=model)

    found = search(user, "red", folder="in", batch=batch.id, content_type="image/*")

    assert paths(found) == ["in/a.png"]
    assert search(user, "red", content_type="text/plain").hits == []


def test_nothing_of_another_workspace_or_another_reading_is_found(
    batch: Batch, user: Any, model: str
) -> None:
    stranger = make_user()
    theirs = make_batch(stranger.memberships.get().workspace)
    picture(theirs, "theirs.png", model=model)
    other = picture(batch, "other.png", model=model)
    ImageVector.objects.filter(document=other).update(generation=2)

    assert search(user, "red").hits == []
    assert paths(search(stranger, "red")) == ["theirs.png"]


def test_a_cancelled_image_is_not_found(batch: Batch, user: Any, model: str) -> None:
    picture(batch, "a.png", model=model, status=Status.CANCELLED)

    assert search(user, "red").hits == []


def test_a_model_that_cannot_be_used_is_told_and_words_go_on(
    batch: Batch, user: Any, model: str, settings: Settings, tmp_path: Path, client: Client
) -> None:
    make_readable(batch, "A red gate.", path="gate.txt", vectors=[EAST])
    settings.IMAGE_MODEL_PATH = str(tmp_path / "nowhere")

    for mode in ("hybrid", "semantic"):
        results = search(user, "red", mode=mode)
        assert (paths(results), results.degraded) == (["gate.txt"], "images")
    client.force_login(user)
    page = client.get("/search/?q=red").content.decode()
    assert "Searched without pictures" in page
    assert "Searched by words only" not in page


def test_the_api_and_the_page_say_that_a_picture_shows_it(
    batch: Batch, user: Any, model: str, client: Client
) -> None:
    picture(batch, "IMG_1.png", model=model)
    api = APIClient()
    api.force_authenticate(user)

    hit = only(api.get("/api/v1/search", {"q": "red", "explain": "true"}).json()["hits"])

    assert hit["shows_it"] is True
    assert hit["why"] == {
        "keyword_rank": None,
        "semantic_rank": None,
        "cosine": None,
        "terms": [],
        "image_rank": 1,
        "image_cosine": pytest.approx(0.9, abs=0.01),
    }
    client.force_login(user)
    assert "Looks like it" in client.get("/search/?q=red").content.decode()
    assert "Looks like it" not in client.get("/search/?q=IMG&mode=keyword").content.decode()
