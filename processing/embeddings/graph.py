"""Build the ONNX graph of a BERT encoder from its safetensors.

The nodes are the fused operators that ONNX Runtime itself optimises BERT to
and that OpenVINO reads as they are:
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save
from safetensors import SafetensorError
from safetensors.numpy import load_file

from documents.errors import ProviderError

FUSED = "com.microsoft"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"


@dataclass
class _Graph:
    """Nodes and weights as they are collected."""

    tensors: Mapping[str, NDArray[Any]]
    epsilon: float
    heads: int
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def node(self, operator: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its first output."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs[0]

    def weight(self, name: str, values: NDArray[Any] | None = None) -> str:
        """Add a weight of the file, or `values` under a name of our own; return the name."""
        tensor = self.tensors[name] if values is None else values
        self.weights.append(
            numpy_helper.from_array(np.ascontiguousarray(tensor, dtype=np.float32), name)
        )
        return name

    def dense(self, prefix: str, source: str) -> str:
        """Multiply by a linear layer's weight; its bias is fused into the node that follows."""
        weight = self.weight(f"{prefix}.weight", self.tensors[f"{prefix}.weight"].T)
        return self.node("MatMul", [source, weight], f"{prefix}.output")

    def skip_norm(self, prefix: str, source: str, skip: str, output: str) -> str:
        """Add bias and residual, then normalise."""
        inputs = [
            source,
            skip,
            self.weight(f"{prefix}.LayerNorm.weight"),
            self.weight(f"{prefix}.LayerNorm.bias"),
            self.weight(f"{prefix}.dense.bias"),
        ]
        return self.node(
            "SkipLayerNormalization", inputs, output, domain=FUSED, epsilon=self.epsilon
        )


def build(folder: Path, output: Path) -> None:
    """Write the graph of the BERT model in `folder` to `output`.

    Inputs are the int64 INPUTS of shape (batch, sequence), padded on the right;
    the output is OUTPUT, (batch, sequence, hidden) float32.
    """
    config = json.loads((folder / "config.json").read_bytes())
    _refuse_other_architectures(folder, config)
    try:
        tensors = load_file(folder / "model.safetensors")
        graph = _encoder(tensors, config)
    except (SafetensorError, KeyError) as error:
        raise ProviderError(f"The weights in {folder} are not a BERT model: {error}") from error
    shape = ["batch", "sequence"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in INPUTS]
    hidden = [*shape, config["hidden_size"]]
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, hidden)]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "bert", inputs, outputs, graph.weights),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)],
        ir_version=8,
    )
    save(model, str(output))


def _refuse_other_architectures(folder: Path, config: Mapping[str, Any]) -> None:
    kind, activation = config.get("model_type"), config.get("hidden_act")
    positions = config.get("position_embedding_type", "absolute")
    if (kind, activation, positions) != ("bert", "gelu", "absolute"):
        raise ProviderError(
            f"The model in {folder} is {kind} with {activation} and {positions} positions; "
            "only BERT with gelu and absolute positions can be read from safetensors. "
            "Add its onnx/model.onnx."
        )


def _encoder(tensors: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> _Graph:
    graph = _Graph(tensors, float(config["layer_norm_eps"]), int(config["num_attention_heads"]))
    layers = int(config["num_hidden_layers"])
    hidden = _embeddings(graph)
    for layer in range(layers):
        output = OUTPUT if layer == layers - 1 else f"layer.{layer}.output"
        hidden = _layer(graph, f"encoder.layer.{layer}", hidden, output)
    return graph


def _embeddings(graph: _Graph) -> str:
    # The fused operators read int32; tokenizers and runtimes speak int64.
    ids, mask, types = (
        graph.node("Cast", [name], f"{name}.int32", to=TensorProto.INT32) for name in INPUTS
    )
    inputs = [
        ids,
        types,
        graph.weight("embeddings.word_embeddings.weight"),
        graph.weight("embeddings.position_embeddings.weight"),
        graph.weight("embeddings.token_type_embeddings.weight"),
        graph.weight("embeddings.LayerNorm.weight"),
        graph.weight("embeddings.LayerNorm.bias"),
        mask,
    ]
    return graph.node(
        "EmbedLayerNormalization",
        inputs,
        "embeddings.output",
        "lengths",
        domain=FUSED,
        epsilon=graph.epsilon,
    )


def _layer(graph: _Graph, prefix: str, hidden: str, output: str) -> str:
    attended = _attention(graph, f"{prefix}.attention.self", hidden)
    projected = graph.dense(f"{prefix}.attention.output.dense", attended)
    skipped = graph.skip_norm(
        f"{prefix}.attention.output", projected, hidden, f"{prefix}.attention.normalised"
    )
    widened = graph.dense(f"{prefix}.intermediate.dense", skipped)
    bias = graph.weight(f"{prefix}.intermediate.dense.bias")
    activated = graph.node("BiasGelu", [widened, bias], f"{prefix}.gelu", domain=FUSED)
    narrowed = graph.dense(f"{prefix}.output.dense", activated)
    return graph.skip_norm(f"{prefix}.output", narrowed, skipped, output)


def _attention(graph: _Graph, prefix: str, hidden: str) -> str:
    parts = [f"{prefix}.{name}" for name in ("query", "key", "value")]
    weight = np.concatenate([graph.tensors[f"{part}.weight"].T for part in parts], axis=1)
    bias = np.concatenate([graph.tensors[f"{part}.bias"] for part in parts])
    inputs = [
        hidden,
        graph.weight(f"{prefix}.weight", weight),
        graph.weight(f"{prefix}.bias", bias),
        "lengths",
    ]
    return graph.node("Attention", inputs, f"{prefix}.output", domain=FUSED, num_heads=graph.heads)
