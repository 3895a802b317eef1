"""Run an ONNX graph on the CPU: by OpenVINO or by ONNX Runtime."""

import os
import platform
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from documents.errors import ProviderError

Tokens = NDArray[np.int64]
Floats = NDArray[np.float32]

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# The names exporters give to the vectors of the tokens.
OUTPUTS = ("last_hidden_state", "token_embeddings")

# From 1.29 on, ONNX Runtime reports its use to its maker and writes a device id
# into the home folder, unless this is set before its import (its Privacy.md).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


class RuntimeName(StrEnum):
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"


class Runtime(Protocol):
    """A loaded graph. One call at a time: the caller holds a lock."""

    def hidden_states(self, ids: Tokens, mask: Tokens) -> Floats:
        """Run (batch, length) token ids and mask; return (batch, length, dimensions)."""


class OpenVino:
    """OpenVINO, in bfloat16 where the CPU multiplies it in hardware."""

    def __init__(self, graph: Path, *, threads: int) -> None:
        with _no_telemetry():
            import openvino

        core = openvino.Core()
        model = core.read_model(graph)
        precision = "bf16" if BF16_FLAGS & cpu_flags() else "f32"
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # Pinned, every one-thread process of a machine shares its first core.
            "ENABLE_CPU_PINNING": False,
        }
        self._request = core.compile_model(model, "CPU", options).create_infer_request()
        self._inputs = _known_inputs([port.any_name for port in model.inputs])
        self._output = _pick_output(
            {port.any_name: len(port.partial_shape) for port in model.outputs}
        )

    def hidden_states(self, ids: Tokens, mask: Tokens) -> Floats:
        self._request.infer(_feed(self._inputs, ids, mask))
        # A view into memory that the next call overwrites: copy it.
        return np.array(self._request.get_tensor(self._output).data, dtype=np.float32)


class OnnxRuntime:
    """ONNX Runtime, in float32."""

    def __init__(self, graph: Path, *, threads: int) -> None:
        self._session = onnx_session(graph, threads=threads)
        self._inputs = _known_inputs([port.name for port in self._session.get_inputs()])
        self._output = _pick_output(
            {port.name: len(port.shape) for port in self._session.get_outputs()}
        )

    def hidden_states(self, ids: Tokens, mask: Tokens) -> Floats:
        answer = self._session.run([self._output], _feed(self._inputs, ids, mask))
        return np.asarray(answer[0], dtype=np.float32)


def onnx_session(graph: Path, *, threads: int) -> Any:
    """Load a graph into ONNX Runtime, which raises plain subclasses of Exception."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A pool that spins between calls takes the cores that other workers need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def load(name: RuntimeName, graph: Path, *, threads: int) -> Runtime:
    """Load the graph; raises ProviderError when this runtime is missing or cannot read it."""
    try:
        if name == RuntimeName.OPENVINO:
            return OpenVino(graph, threads=threads)
        return OnnxRuntime(graph, threads=threads)
    # Both libraries raise their refusals as RuntimeError or a plain subclass of Exception.
    except Exception as error:
        raise ProviderError(f"{name} cannot load {graph}: {error}") from error


@cache
def cpu_flags() -> frozenset[str]:
    """Read what the CPU can do; empty where the system does not say."""
    return frozenset(_cpu_field("flags").split())


@cache
def cpu_name() -> str:
    """Name the CPU, as far as the system knows."""
    return _cpu_field("model name") or platform.processor() or platform.machine()


def _cpu_field(field: str) -> str:
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return ""
    for line in path.read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == field:
            return value.strip()
    return ""


def _known_inputs(names: list[str]) -> list[str]:
    if unknown := set(names) - set(INPUTS):
        raise ProviderError(f"The graph asks for {', '.join(sorted(unknown))}")
    return names


def _feed(names: Collection[str], ids: Tokens, mask: Tokens) -> dict[str, Tokens]:
    feed = dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True))
    # Not every architecture knows token types.
    return {name: feed[name] for name in names}


def _pick_output(ranks: Mapping[str, int]) -> str:
    for name in (*OUTPUTS, *ranks):
        if ranks.get(name) == 3:
            return name
    raise ProviderError("The graph has no output with a vector for each token")


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Hide `openvino_telemetry`: merely importing OpenVINO would report the import."""
    name = "openvino_telemetry"
    before = sys.modules.get(name)
    # None makes its import fail, and OpenVINO fall back on a stub that sends nothing.
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
