"""Make a small model of CLIP's kind, in which every colour is an axis of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tests.processing.embedding_models import write_json

# Three colours, what all images have in common, and what no image has.
DIMENSIONS = 5
RED, GREEN, BLUE, ANY, NONE = np.eye(DIMENSIONS, dtype=np.float32)
WORDS = {
    "[UNK]": NONE,
    "red": RED,
    "green": GREEN,
    "blue": BLUE,
    **dict.fromkeys(("photo", "picture", "image"), ANY),
    # What stands between words and says nothing.
    **dict.fromkeys(("a", "an", "of", "something", "the"), np.zeros(DIMENSIONS, np.float32)),
}
SIDE = 8
OPSET, IR_VERSION = 13, 8


def make_image_model(path: Path, **preprocessor: Any) -> Path:
    """Write a folder as the public exports of CLIP are laid out; in the tower for images
    a pure colour weighs twice as much as being an image at all.
    """
    (path / "onnx").mkdir(parents=True)
    write_json(path / "config.json", {"model_type": "clip", "projection_dim": DIMENSIONS})
    plain = {
        "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "size": {"shortest_edge": SIDE},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    write_json(path / "preprocessor_config.json", {**plain, **preprocessor})
    write_tokenizer(path / "tokenizer.json")
    write_text_tower(path / "onnx" / "text_model.onnx")
    write_vision_tower(path / "onnx" / "vision_model.onnx")
    return path


def write_tokenizer(path: Path) -> None:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))


def write_text_tower(path: Path, *, dimensions: int = DIMENSIONS) -> None:
    """Write the mean of the vectors of the words."""
    table = np.stack(list(WORDS.values()))[:, :dimensions]
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["found"]),
        helper.make_node("ReduceMean", ["found"], ["text_embeds"], axes=[1], keepdims=0),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "length"])
    _save(path, nodes, ids, "text_embeds", words=table)


def write_vision_tower(path: Path) -> None:
    """Write the mean colour, as far as it is more than grey, beside what any image has."""
    colours = 2 * np.eye(3, DIMENSIONS, dtype=np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Relu", ["mean"], ["colour"]),
        helper.make_node("MatMul", ["colour", "colours"], ["axes"]),
        helper.make_node("Add", ["axes", "any"], ["image_embeds"]),
    ]
    pixels = helper.make_tensor_value_info(
        "pixel_values", TensorProto.FLOAT, ["n", 3, "height", "width"]
    )
    _save(path, nodes, pixels, "image_embeds", colours=colours, any=ANY[np.newaxis])


def _save(path: Path, nodes: Sequence[Any], given: Any, output: str, **weights: Any) -> None:
    made = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "dimensions"])
    graph = helper.make_graph(
        list(nodes),
        path.stem,
        [given],
        [made],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    save(model, str(path))
