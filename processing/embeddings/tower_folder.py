"""Read the folder of a model with two towers, one for words and one for images.

As the public ONNX exports of CLIP are laid out: `config.json`, `tokenizer.json`,
`preprocessor_config.json`, and `text_model.onnx` and `vision_model.onnx` there or in `onnx/`.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from documents.errors import ProviderError
from processing.embeddings.runtimes import Floats
from processing.embeddings.tokenizer import Tokenizer
from processing.previews.frame import COLOURS, Frame

TEXT, VISION = "text_model.onnx", "vision_model.onnx"
TOKENIZER, CONFIG, PREPROCESSOR = "tokenizer.json", "config.json", "preprocessor_config.json"
# CLIP's, where the folder does not say (Radford et al. 2021).
MAX_TOKENS = 77
BYTE_SCALE = 1 / 255


@dataclass(frozen=True)
class TowerFolder:
    """A model folder; what it lacks or says wrongly is a ProviderError that names it."""

    path: Path

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            raise ProviderError(f"There is no image model in {self.path}")

    @cached_property
    def fingerprint(self) -> str:
        """Hash everything that decides a vector, so that equal names mean equal vectors."""
        digest = hashlib.sha256()
        for name in (CONFIG, TOKENIZER, PREPROCESSOR):
            digest.update(name.encode() + self._bytes(name))
        for graph in (self.graph(TEXT), self.graph(VISION)):
            # Large graphs keep their tensors beside them, as text_model.onnx_data.
            for part in sorted(graph.parent.glob(f"{graph.name}*")):
                with part.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    def graph(self, name: str) -> Path:
        """Return where a tower is."""
        for path in (self.path / "onnx" / name, self.path / name):
            if path.is_file():
                return path
        raise ProviderError(f"There is no onnx/{name} and no {name} in {self.path}")

    @cached_property
    def dimensions(self) -> int:
        """Read how many numbers the vectors of both towers have."""
        found = self._json(CONFIG).get("projection_dim")
        if not isinstance(found, int) or found < 1:
            raise ProviderError(f"{self.path / CONFIG} has no projection_dim")
        return found

    @cached_property
    def tokenizer(self) -> Tokenizer:
        text = self._json(CONFIG).get("text_config") or {}
        return Tokenizer(
            self.path / TOKENIZER, int(text.get("max_position_embeddings") or MAX_TOKENS)
        )

    @cached_property
    def frame(self) -> Frame:
        """Read at which size images are wanted, and what is left of them."""
        told = self._json(PREPROCESSOR)
        size, crop = told.get("size"), told.get("crop_size")
        shorter_side = size.get("shortest_edge", 0) if isinstance(size, dict) else size
        cut = crop if told.get("do_center_crop", crop is not None) else size
        cut = {"height": cut, "width": cut} if isinstance(cut, int) else cut or {}
        try:
            frame = Frame(int(cut["width"]), int(cut["height"]), int(shorter_side or 0))
        except (KeyError, TypeError, ValueError) as error:
            raise self._unusable("does not say which size images have to be") from error
        if frame.shorter_side and frame.shorter_side < max(frame.width, frame.height):
            raise self._unusable("cuts out more than there is of an image")
        return frame

    def normalised(self, pixels: Floats) -> Floats:
        """Return bytes of colours, (…, 3), as the numbers that the model was trained on."""
        told = self._json(PREPROCESSOR)
        scale = float(told.get("rescale_factor", BYTE_SCALE))
        mean, deviation = (
            np.asarray(told.get(name) or (), np.float32) for name in ("image_mean", "image_std")
        )
        if mean.shape != (COLOURS,) or deviation.shape != (COLOURS,) or not deviation.all():
            raise self._unusable("has no image_mean and image_std of three colours")
        return np.asarray((pixels * np.float32(scale) - mean) / deviation, np.float32)

    def _unusable(self, what: str) -> ProviderError:
        return ProviderError(f"{self.path / PREPROCESSOR} {what}")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads(self._bytes(name))
        except ValueError as error:
            raise ProviderError(f"{self.path / name} is not JSON") from error
        if not isinstance(found, dict):
            raise ProviderError(f"{self.path / name} is no JSON object")
        return found

    def _bytes(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise ProviderError(f"{self.path / name} cannot be read: {error.strerror}") from error
