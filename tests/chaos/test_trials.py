"""The table of promises: one row a fault, kept until it is measured anew."""

from dataclasses import asdict
from pathlib import Path

from tests.chaos.trials import BEGIN, END, Promise, Trials, told_by, write


def tried(fault: str, *, n: int, passed: int, seed: int = 1) -> Trials:
    made = Trials(Promise("R6", "One wins", fault, 1, n), n, seed)
    made.passed = passed
    return made


def test_a_row_replaces_the_row_of_its_fault_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    write(page, [tried("one", n=3, passed=3), tried("other", n=5, passed=5)], day="d1", preface="")

    write(page, [tried("one", n=4, passed=2)], day="d2", preface="On this machine.")

    rows = [line for line in page.read_text().splitlines() if line.startswith("| R6")]
    assert rows == [
        "| R6 | One wins | one | 4 | 2 | – | 0 | d2 |",
        "| R6 | One wins | other | 5 | 5 | – | 0 | d1 |",
    ]
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")


def test_parameters_of_one_test_share_a_row(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")

    results = [tried("one", n=3, passed=3, seed=1), tried("one", n=3, passed=2, seed=2)]
    write(page, results, day="d1", preface="")

    assert "| R6 | One wins | one | 6 | 5 | – | 0 | d1 |" in page.read_text()


def test_the_same_seed_makes_the_same_choices() -> None:
    chosen = [
        [trial.random.random() for trial in Trials(Promise("R6", "", "", 1, 2), 2, 7)]
        for _ in range(2)
    ]

    assert chosen[0] == chosen[1]


def test_trials_come_whole_from_another_process() -> None:
    trials = tried("one", n=2, passed=0)
    for trial in trials:
        trial.recovered(1.5)
        trial.measured("pace", 0.9)

    assert told_by(asdict(trials)) == trials
