"""A folder with two towers gives vectors of words and of images, or says what is wrong with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_django import Settings

from config import doctor
from config.finding import DoctorError, Level
from documents.errors import ProviderError
from processing.embeddings.registry import get_embedder, get_image_embedder
from processing.embeddings.tower_folder import TowerFolder
from processing.embeddings.towers import TwoTowers
from processing.previews.frame import Frame
from tests.processing.embedding_models import write_json
from tests.processing.image_models import (
    DIMENSIONS,
    RED,
    SIDE,
    make_image_model,
    write_text_tower,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_image_model(tmp_path / "colours")


def plain(red: int, green: int, blue: int) -> Any:
    return np.full((SIDE, SIDE, 3), (red, green, blue), np.uint8)


def test_words_and_images_are_unit_vectors_of_one_space(folder: Path) -> None:
    model = TwoTowers(folder)

    texts = model.embed_texts(["red", "a photo of the blue", "nothing of the kind"])
    images = model.embed_images([plain(255, 0, 0), plain(0, 0, 255)])

    assert (texts.shape, images.shape) == ((3, DIMENSIONS), (2, DIMENSIONS))
    assert {texts.dtype, images.dtype} == {np.dtype(np.float32)}
    for vectors in (texts, images):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (texts @ images.T).argmax(axis=1)[:2].tolist() == [0, 1]
    np.testing.assert_allclose(texts[0], RED, atol=1e-6)


def test_no_texts_and_no_images_have_no_vectors(folder: Path) -> None:
    model = TwoTowers(folder)

    assert model.embed_texts([]).shape == model.embed_images([]).shape == (0, DIMENSIONS)


def test_colours_are_told_to_the_model_as_it_was_trained(folder: Path) -> None:
    seen = TowerFolder(folder).normalised(np.asarray([[0, 127.5, 255]], np.float32))

    np.testing.assert_allclose(seen, [[-1, 0, 1]], atol=1e-6)


@pytest.mark.parametrize(
    ("told", "frame"),
    [
        ({}, Frame(SIDE, SIDE, SIDE)),
        ({"size": 10, "crop_size": 6}, Frame(6, 6, 10)),
        ({"size": {"height": 6, "width": 9}, "do_center_crop": False}, Frame(9, 6)),
        (
            {"size": {"height": 6, "width": 9}, "crop_size": None, "do_center_crop": None},
            Frame(9, 6),
        ),
    ],
)
def test_every_way_to_say_a_size_is_read(
    tmp_path: Path, told: dict[str, Any], frame: Frame
) -> None:
    assert TowerFolder(make_image_model(tmp_path / "model", **told)).frame == frame


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"size": {"shortest_edge": 4}}, "more than there is"),
        ({"crop_size": {"height": 8}}, "which size"),
        ({"do_center_crop": False}, "which size"),
    ],
)
def test_a_size_that_makes_no_sense_is_refused(
    tmp_path: Path, told: dict[str, Any], complaint: str
) -> None:
    folder = TowerFolder(make_image_model(tmp_path / "model", **told))

    with pytest.raises(ProviderError, match=complaint):
        _ = folder.frame


def test_colours_without_a_mean_are_refused(tmp_path: Path) -> None:
    folder = TowerFolder(make_image_model(tmp_path / "model", image_mean=[0.5]))

    with pytest.raises(ProviderError, match="image_mean"):
        folder.normalised(np.zeros((1, 3), np.float32))


def test_a_name_stands_for_all_that_decides_a_vector(folder: Path, tmp_path: Path) -> None:
    name = TwoTowers(folder).model

    assert name.startswith("colours@")
    assert TwoTowers(make_image_model(tmp_path / "again" / "colours")).model == name
    other = make_image_model(tmp_path / "other" / "colours", image_std=[0.4, 0.4, 0.4])
    assert TwoTowers(other).model != name


def test_a_tower_of_other_dimensions_than_the_folder_says_is_refused(folder: Path) -> None:
    write_text_tower(folder / "onnx" / "text_model.onnx", dimensions=3)

    with pytest.raises(ProviderError, match=r"text_model.onnx makes .* not vectors of 5"):
        TwoTowers(folder).embed_texts(["red"])


@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "tokenizer.json", "preprocessor_config.json"),
        *("onnx/text_model.onnx", "onnx/vision_model.onnx"),
    ],
)
@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_what_is_missing_or_broken_is_named(folder: Path, name: str, content: bytes | None) -> None:
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    model = TwoTowers(folder)

    with pytest.raises(ProviderError) as raised:
        _ = model.model, model.embed_texts(["red"]), model.embed_images([plain(1, 2, 3)])

    assert name.rpartition("/")[2] in raised.value.detail


def test_graphs_may_lie_beside_the_rest(folder: Path) -> None:
    for graph in (folder / "onnx").iterdir():
        graph.rename(folder / graph.name)

    assert TwoTowers(folder).embed_texts(["red"]).shape == (1, DIMENSIONS)


def test_without_a_setting_there_is_no_model(settings: Settings, folder: Path) -> None:
    assert get_image_embedder() is None

    settings.IMAGE_MODEL_PATH = str(folder)

    found = get_image_embedder()
    assert found is not None
    assert get_image_embedder() is found
    # The model of texts is not asked, nor changed.
    assert get_embedder().dimensions != found.dimensions


def test_a_folder_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    settings.IMAGE_MODEL_PATH = str(tmp_path / "nowhere")

    with pytest.raises(ProviderError, match="nowhere"):
        get_image_embedder()


def test_doctor_tries_both_towers(settings: Settings, folder: Path) -> None:
    with pytest.raises(DoctorError) as off:
        doctor._images()
    settings.IMAGE_MODEL_PATH = str(folder)
    said = doctor._images()
    write_json(folder / "config.json", {"projection_dim": 4})
    settings.EMBEDDING_THREADS = 2  # Another process, as far as the registry knows.

    assert off.value.level == Level.INFO
    assert f"{DIMENSIONS} dimensions" in said
    with pytest.raises(ProviderError, match="not vectors of 4"):
        doctor._images()
