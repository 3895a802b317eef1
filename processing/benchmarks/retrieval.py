"""A retrieval test set: documents, questions, and which answers which."""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CUT = 10
FILES = ("docs.tsv", "queries.tsv", "qrels.tsv")


@dataclass(frozen=True, slots=True)
class TestSet:
    """Documents as (title, text) by id, questions by id, and grades per question and document."""

    documents: dict[str, tuple[str, str]]
    questions: dict[str, str]
    grades: dict[str, dict[str, int]]


def read(folder: Path) -> TestSet:
    """Read the three tables of `folder`; raises FileNotFoundError for a missing one."""
    documents, questions, judgements = (_rows(folder / name) for name in FILES)
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for question, document, grade in judgements:
        grades[question][document] = int(grade)
    return TestSet(
        # One document of Cranfield has no text; it could not be uploaded either.
        documents={id_: (title, text) for id_, title, text in documents if text.strip()},
        questions={id_: text for id_, text in questions if any(grades[id_].values())},
        grades=dict(grades),
    )


def ndcg(found: Sequence[str], grades: Mapping[str, int], *, graded: bool) -> float:
    """Return nDCG@10 (Järvelin and Kekäläinen 2002) with linear or with binary gains."""
    gains = {id_: grade if graded else 1 for id_, grade in grades.items() if grade > 0}
    ideal = _discounted(sorted(gains.values(), reverse=True))
    return _discounted([gains.get(id_, 0) for id_ in found]) / ideal


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains[:CUT]))


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
