"""Embed through any endpoint that speaks the OpenAI embeddings protocol.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, ClassVar

import httpx
import numpy as np

from documents.errors import NetworkError, ProviderError, ProviderRefusedError, RateLimitError
from processing.embeddings.embedder import Vectors, normalised, well_formed
from processing.embeddings.tokenizer import Tokenizer

# OpenAI takes 300,000 tokens a request and 8,191 a text. A token is at least
# one byte of UTF-8 in any tokenizer, so limits in bytes hold without knowing it.
MAX_REQUEST_BYTES = 300_000
MAX_TEXT_BYTES = 8_191

TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class OpenAIEmbedder:
    """A client of one model of one endpoint; keeps its connections open between calls."""

    # OpenAI takes 2,048 texts; smaller servers refuse far fewer.
    MAX_BATCH: ClassVar[int] = 128

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        tokenizer: Tokenizer,
        api_key: str = "",
        dimensions: int | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        """Prepare a client; `dimensions` None takes what the model makes by itself."""
        self._url = base_url.rstrip("/") + "/embeddings"
        self._name = model
        self._wanted = dimensions
        self._tokenizer = tokenizer
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(headers=headers, timeout=timeout)

    @property
    def model(self) -> str:
        return f"{self._name}:{self._wanted}" if self._wanted else self._name

    @cached_property
    def dimensions(self) -> int:
        """Say how many numbers a vector has; asks the endpoint once if no setting does."""
        return self._wanted or int(self._request(["dimensions"]).shape[1])

    @property
    def max_tokens(self) -> int:
        return MAX_TEXT_BYTES

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts in order, in as many requests as the limits ask for.

        Texts are cut to MAX_TEXT_BYTES, which no chunk comes near, because one
        text that is too long would have its whole request refused.
        """
        accepted = [_acceptable(text) for text in texts]
        answers = [self._request(batch) for batch in _batches(accepted, self.MAX_BATCH)]
        if not answers:
            return np.empty((0, self.dimensions), dtype=np.float32)
        self._check_dimensions(answers)
        return normalised(np.concatenate(answers))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with the local model's tokenizer: near enough to size chunks by.

        The endpoint's own is unknown; for English the counts differ by some
        10 %, and the limits of a request do not rest on them.
        """
        return self._tokenizer.count(texts)

    def _request(self, texts: Sequence[str]) -> Vectors:
        payload: dict[str, Any] = {"model": self._name, "input": list(texts)}
        if self._wanted:
            payload["dimensions"] = self._wanted
        with _provider_errors():
            response = self._client.post(self._url, json=payload)
            _raise_for_status(response)
            return _vectors(response.json(), expected=len(texts))

    def _check_dimensions(self, answers: Sequence[Vectors]) -> None:
        for answer in answers:
            if answer.shape[1] != self.dimensions:
                raise ProviderError(
                    f"The embedding service sent vectors of {answer.shape[1]} numbers; "
                    f"{self.dimensions} were expected"
                )


def _acceptable(text: str) -> str:
    cut = well_formed(text).encode()[:MAX_TEXT_BYTES].decode("utf-8", "ignore")
    # The protocol refuses an empty input, and with it every other text of the request.
    return cut or " "


def _batches(texts: Sequence[str], max_texts: int) -> Iterator[list[str]]:
    batch: list[str] = []
    batch_bytes = 0
    for text in texts:
        text_bytes = len(text.encode())
        if batch and (len(batch) == max_texts or batch_bytes + text_bytes > MAX_REQUEST_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(text)
        batch_bytes += text_bytes
    if batch:
        yield batch


@contextmanager
def _provider_errors() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise NetworkError("The embedding service did not answer in time") from error
    except httpx.TransportError as error:
        raise NetworkError("The embedding service cannot be reached") from error
    except (httpx.DecodingError, ValueError, KeyError, TypeError) as error:
        raise ProviderError("The embedding service sent an answer that makes no sense") from error


def _raise_for_status(response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise RateLimitError(
            "The embedding service asks to slow down",
            retry_after_seconds=_retry_after_seconds(response.headers),
        )
    if status >= 500 or status == httpx.codes.REQUEST_TIMEOUT:
        raise ProviderError(
            f"The embedding service answered {status}",
            retry_after_seconds=_retry_after_seconds(response.headers),
        )
    raise ProviderRefusedError(f"The embedding service refused the request with {status}")


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _vectors(answer: Any, *, expected: int) -> Vectors:
    """Put the vectors in the order of the texts: `index` says which is whose."""
    rows = {int(row["index"]): row["embedding"] for row in answer["data"]}
    if sorted(rows) != list(range(expected)) or len(answer["data"]) != expected:
        raise ProviderError(
            f"The embedding service answered {len(answer['data'])} of {expected} texts"
        )
    vectors = np.array([rows[index] for index in range(expected)], dtype=np.float32)
    if vectors.ndim != 2:
        raise ProviderError("The embedding service sent something other than vectors")
    return vectors
