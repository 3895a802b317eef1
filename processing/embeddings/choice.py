"""Choose the runtime that is faster on this machine, by measuring it once."""

import hashlib
import json
import logging
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from documents.errors import ProviderError
from processing.embeddings import runtimes
from processing.embeddings.model_cache import locked, publish
from processing.embeddings.runtimes import Runtime, RuntimeName

log = logging.getLogger(__name__)

# A usual call: two chunks of about 200 tokens. Rounds enough to see past a
# neighbour's burst, few enough to end within seconds.
PROBE_BATCH = 2
PROBE_LENGTH = 208
PROBE_ROUNDS = 5


def faster_runtime(graph: Path, *, threads: int, cache_dir: Path, longest: int) -> RuntimeName:
    """Return the remembered choice for this CPU, thread number and graph, or measure it."""
    path = cache_dir / f"runtime-{_machine_key(graph, threads)}.json"
    known = _remembered(path)
    if known is None:
        with locked(path):
            known = _remembered(path) or _measure(path, graph, threads=threads, longest=longest)
    return known


def _measure(path: Path, graph: Path, *, threads: int, longest: int) -> RuntimeName:
    rates: dict[RuntimeName, float] = {}
    refusals: list[ProviderError] = []
    for name in RuntimeName:
        try:
            runtime = runtimes.load(name, graph, threads=threads)
            rates[name] = texts_per_second(runtime, length=min(longest, PROBE_LENGTH))
        except ProviderError as error:
            log.warning("embedding_runtime_unusable", extra={"runtime": name, "reason": str(error)})
            refusals.append(error)
    if not rates:
        raise refusals[0]
    best = max(rates, key=rates.__getitem__)
    record = {
        "runtime": best,
        "cpu": runtimes.cpu_name(),
        "threads": threads,
        "graph": graph.name,
        "texts_per_second": {name: round(rate, 1) for name, rate in rates.items()},
    }
    publish(path, lambda temporary: _write(temporary, record))
    log.info("embedding_runtime_chosen", extra=record)
    return best


def texts_per_second(runtime: Runtime, *, length: int = PROBE_LENGTH) -> float:
    """Measure a loaded runtime; the best round counts, the others had company."""
    ids = np.random.default_rng(0).integers(1, 1000, (PROBE_BATCH, length), dtype=np.int64)
    mask = np.ones_like(ids)
    runtime.hidden_states(ids, mask)
    seconds = []
    for _ in range(PROBE_ROUNDS):
        start = time.perf_counter()
        runtime.hidden_states(ids, mask)
        seconds.append(time.perf_counter() - start)
    return PROBE_BATCH / min(seconds)


def _remembered(path: Path) -> RuntimeName | None:
    if not path.is_file():
        return None
    try:
        return RuntimeName(json.loads(path.read_bytes())["runtime"])
    except (ValueError, KeyError, TypeError):
        # Somebody edited it. Measuring again costs seconds and repairs it.
        return None


def _machine_key(graph: Path, threads: int) -> str:
    """Hash what the measurement depends on.

    Flags too: virtual machines give different processors the same name.
    """
    parts = [
        runtimes.cpu_name(),
        *sorted(runtimes.cpu_flags()),
        str(threads),
        graph.name,
        str(graph.stat().st_size),
        *(f"{name}={_installed(name)}" for name in RuntimeName),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _installed(name: RuntimeName) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        # Another package may carry the same module, and without it the probe says so.
        return ""


def _write(path: Path, record: dict[str, object]) -> None:
    path.write_text(json.dumps(record, indent=2) + "\n")
