"""Read a sentence-transformers folder: what the model is and what it wants."""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from documents.errors import ProviderError
from processing.embeddings.model_cache import locked, publish
from processing.embeddings.tokenizer import Tokenizer

# Part of the name of every built graph: raise it when graph.build changes.
GRAPH_VERSION = 1

SUPPORTED_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})


class Pooling(StrEnum):
    """How the vectors of the tokens become the vector of the text."""

    MEAN = "mean"
    CLS = "cls"


@dataclass(frozen=True)
class ModelFolder:
    """A folder with `tokenizer.json`, `config.json` and weights as ONNX or safetensors."""

    path: Path

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            raise ProviderError(f"There is no embedding model in {self.path}")

    @cached_property
    def fingerprint(self) -> str:
        """Hash everything that decides a vector, so that equal names mean equal vectors."""
        digest = hashlib.sha256()
        for name in ("config.json", "tokenizer.json", "1_Pooling/config.json", "modules.json"):
            if (self.path / name).is_file():
                digest.update(name.encode() + (self.path / name).read_bytes())
        digest.update(str(self.max_length).encode())
        for weights in self._weights:
            with weights.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    @cached_property
    def max_length(self) -> int:
        """Read how many tokens the model takes, markers included."""
        declared = self._json("sentence_bert_config.json").get("max_seq_length")
        if declared:
            return int(declared)
        limits = (
            self._json("tokenizer_config.json").get("model_max_length"),
            self._json("config.json").get("max_position_embeddings"),
            512,
        )
        return int(min(limit for limit in limits if limit))

    @cached_property
    def dimensions(self) -> int:
        """Read how many numbers a vector has."""
        found = self._json("1_Pooling/config.json").get("word_embedding_dimension")
        found = found or self._json("config.json").get("hidden_size")
        if not found:
            raise ProviderError(f"The model in {self.path} does not say how long its vectors are")
        return int(found)

    @cached_property
    def pooling(self) -> Pooling:
        """Read how tokens are pooled; refuse what would give other vectors than the model's."""
        modes = self._json("1_Pooling/config.json")
        if modes.get("pooling_mode_cls_token"):
            return Pooling.CLS
        if modes and not modes.get("pooling_mode_mean_tokens"):
            raise ProviderError(f"The model in {self.path} pools neither by mean nor by CLS")
        return Pooling.MEAN

    @cached_property
    def pad_token_id(self) -> int:
        return int(self._json("config.json").get("pad_token_id") or 0)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer(self.path / "tokenizer.json", self.max_length)

    def onnx(self, cache_dir: Path) -> Path:
        """Return the ONNX graph: the folder's own, or one built once into `cache_dir`."""
        self._refuse_unsupported_modules()
        if self._own_onnx:
            return self._own_onnx
        built = cache_dir / f"bert-v{GRAPH_VERSION}-{self.fingerprint[:24]}.onnx"
        if not built.is_file():
            self._build(built)
        return built

    def _build(self, built: Path) -> None:
        # The builder and its libraries are needed once per machine, not per process.
        from processing.embeddings import graph

        with locked(built):
            if not built.is_file():
                publish(built, partial(graph.build, self.path))

    @property
    def _own_onnx(self) -> Path | None:
        candidates = (self.path / "onnx" / "model.onnx", self.path / "model.onnx")
        return next((path for path in candidates if path.is_file()), None)

    @property
    def _weights(self) -> list[Path]:
        if self._own_onnx:
            # Large graphs keep their tensors beside them, as model.onnx_data.
            return sorted(self._own_onnx.parent.glob("model.onnx*"))
        safetensors = self.path / "model.safetensors"
        if not safetensors.is_file():
            raise ProviderError(
                f"There is no onnx/model.onnx, model.onnx or model.safetensors in {self.path}"
            )
        return [safetensors]

    def _refuse_unsupported_modules(self) -> None:
        path = self.path / "modules.json"
        modules = json.loads(path.read_bytes()) if path.is_file() else []
        kinds = {str(module["type"]).rpartition(".")[2] for module in modules}
        if unknown := kinds - SUPPORTED_MODULES:
            names = ", ".join(sorted(unknown))
            raise ProviderError(f"The model in {self.path} needs {names}, which is not supported")

    def _json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            return dict(json.loads(path.read_bytes())) if path.is_file() else {}
        except ValueError as error:
            raise ProviderError(f"{path} is not JSON") from error
