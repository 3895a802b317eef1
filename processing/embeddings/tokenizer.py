"""Count and encode tokens with a model folder's own tokenizer."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tokenizers

from documents.errors import ProviderError
from processing.embeddings.embedder import well_formed

# Read by the library at its first batch. Its thread pool would take the cores
# that other workers count on, and it does not survive a fork.
os.environ["TOKENIZERS_PARALLELISM"] = "false"


@dataclass(frozen=True)
class Tokenizer:
    """A `tokenizer.json`, loaded when first used; `max_length` includes the markers."""

    path: Path
    max_length: int

    def count(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each whole text, without markers and without a limit."""
        cleaned = [well_formed(text) for text in texts]
        encodings = self._counting.encode_batch_fast(cleaned, add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Encode each text with its markers, cut to `max_length` tokens."""
        cleaned = [well_formed(text) for text in texts]
        return [encoding.ids for encoding in self._encoding.encode_batch_fast(cleaned)]

    @cached_property
    def markers(self) -> int:
        """Say how many tokens the model puts around a text."""
        return int(self._counting.num_special_tokens_to_add(False))

    @cached_property
    def _counting(self) -> tokenizers.Tokenizer:
        return self._load()

    @cached_property
    def _encoding(self) -> tokenizers.Tokenizer:
        tokenizer = self._load()
        tokenizer.enable_truncation(self.max_length)
        return tokenizer

    def _load(self) -> tokenizers.Tokenizer:
        try:
            tokenizer = tokenizers.Tokenizer.from_file(str(self.path))
        # The library raises nothing narrower for a missing or broken file.
        except Exception as error:
            raise ProviderError(f"The tokenizer {self.path} cannot be read: {error}") from error
        # The file carries the limits of its training, 128 for all-MiniLM-L6-v2.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
