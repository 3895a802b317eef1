"""The search bench: what it measures, and that nothing of it stays."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from documents.models import Document, Workspace
from processing.benchmarks.retrieval import ndcg, read

DOCUMENTS = (
    ("1", "kittens", "The kitten slept on the warm windowsill."),
    ("2", "bread", "Knead the dough and let the loaf rise overnight."),
    ("3", "courts", "The judge dismissed the appeal for lack of evidence."),
    ("4", "an empty one", ""),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tables = {
        "docs.tsv": DOCUMENTS,
        "queries.tsv": (("7", "how long does dough rise"), ("8", "where do kittens sleep")),
        "qrels.tsv": (("7", "2", "3"), ("7", "1", "0"), ("8", "1", "1")),
    }
    for name, rows in tables.items():
        (tmp_path / name).write_text("".join("\t".join(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.django_db
def test_bench_measures_each_mode_and_leaves_nothing(folder: Path) -> None:
    out = StringIO()

    call_command("bench", "search", cranfield=folder, stdout=out)

    lines = out.getvalue().splitlines()
    assert lines[0] == "3 documents, 2 questions"
    assert [line.split()[:3] for line in lines[2:]] == [
        [mode, "1.0000", "1.0000"] for mode in ("hybrid", "keyword", "semantic")
    ]
    assert not Document.objects.exists()
    assert not Workspace.objects.exists()


def test_bench_refuses_a_folder_without_the_tables(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"docs\.tsv"):
        call_command("bench", "search", cranfield=tmp_path)


def test_documents_without_text_and_questions_without_answers_are_left_out(folder: Path) -> None:
    (folder / "qrels.tsv").write_text("7\t2\t3\n8\t1\t0\n")

    test_set = read(folder)

    assert sorted(test_set.documents) == ["1", "2", "3"]
    assert list(test_set.questions) == ["7"]


def test_ndcg_rewards_the_better_order() -> None:
    grades = {"a": 3, "b": 1, "c": 0}

    assert ndcg(["a", "b"], grades, graded=True) == 1
    assert ndcg(["c", "c", "c"], grades, graded=True) == 0
    # By hand: (1 + 3 / log2 3) / (3 + 1 / log2 3).
    assert ndcg(["b", "a"], grades, graded=True) == pytest.approx(0.7967, abs=1e-4)
    assert ndcg(["b", "a"], grades, graded=False) == 1
