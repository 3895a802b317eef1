"""The same model a second time: BERT in plain numpy, straight from the paper and the weights.

https://arxiv.org/abs/1810.04805. Slow, exact to float32, and nothing in common
with the graph builder or the runtimes that it judges.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from safetensors.numpy import load_file

Floats = NDArray[np.float32]


def reference_vectors(
    folder: Path, texts: Sequence[str], *, max_length: int = 256, pooling: str = "mean"
) -> Floats:
    """Embed texts one by one, unpadded: (n, dimensions), each of length 1."""
    weights = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_bytes())
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    vectors = []
    for text in texts:
        hidden = _encode(tokenizer.encode(text).ids, weights, config)
        vector = hidden[0] if pooling == "cls" else hidden.mean(axis=0)
        vectors.append(vector / np.linalg.norm(vector))
    return np.array(vectors)


def _encode(ids: Sequence[int], weights: dict[str, Floats], config: dict[str, Any]) -> Floats:
    def linear(values: Floats, name: str) -> Floats:
        return np.asarray(values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])

    def norm(values: Floats, name: str) -> Floats:
        centred = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + config["layer_norm_eps"])
        scaled = weights[f"{name}.weight"] * centred / deviation
        return np.asarray(scaled + weights[f"{name}.bias"])

    def attention(values: Floats, name: str) -> Floats:
        heads = config["num_attention_heads"]
        query, key, value = (
            linear(values, f"{name}.{part}").reshape(len(values), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
        chosen = (odds / odds.sum(axis=-1, keepdims=True)) @ value
        return np.asarray(chosen.transpose(1, 0, 2).reshape(len(values), -1))

    hidden = (
        weights["embeddings.word_embeddings.weight"][list(ids)]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = norm(hidden, "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        attended = linear(
            attention(hidden, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        hidden = norm(hidden + attended, f"{name}.attention.output.LayerNorm")
        widened = _gelu(linear(hidden, f"{name}.intermediate.dense"))
        hidden = norm(hidden + linear(widened, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    return hidden


def _gelu(values: Floats) -> Floats:
    """Half of x (1 + erf(x / sqrt 2)), erf to 1.5e-7 by Abramowitz and Stegun, 7.1.26."""
    scaled = np.abs(values) / np.sqrt(2)
    step = 1 / (1 + 0.3275911 * scaled)
    series = step * (
        0.254829592
        + step * (-0.284496736 + step * (1.421413741 + step * (-1.453152027 + step * 1.061405429)))
    )
    erf = np.sign(values) * (1 - series * np.exp(-(scaled**2)))
    return np.asarray(0.5 * values * (1 + erf), dtype=np.float32)
