"""How often each promise is tried, what came of it, and the table that says so.

A test takes the fixture `trials` and carries the marker `promise`:

    @pytest.mark.promise("R1", "No acknowledged upload is lost", fault="...", trials=(2, 20))
    def test_...(trials: Trials) -> None:
        for trial in trials:
            ...trial.random...              # the same choices again for the same seed
            trial.recovered(seconds)        # where a time is promised

The first number is how often it is tried by default, the second with `--chaos=full`.
A failure names the seed of its trial; CHAOS_SEED=<seed> tries that one first.
"""

import random
import re
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROW = re.compile(r"\| [A-Z]\d+ \|")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised and how it is put under fire."""

    number: str
    text: str
    fault: str
    few: int
    full: int


@dataclass(slots=True)
class Trial:
    """One attempt to break a promise."""

    seed: int
    random: random.Random
    recoveries: list[float]
    notes: dict[str, list[float]]

    def recovered(self, seconds: float) -> None:
        """Note how long it took from the fault until all was well."""
        self.recoveries.append(seconds)

    def measured(self, name: str, value: float) -> None:
        """Note a figure that the table shows beside the result."""
        self.notes.setdefault(name, []).append(value)


@dataclass(slots=True)
class Trials:
    """The trials of one test, and their outcome."""

    promise: Promise
    n: int
    first_seed: int
    passed: int = 0
    seconds: float = 0.0
    recoveries: list[float] = field(default_factory=list)
    notes: dict[str, list[float]] = field(default_factory=dict)
    current_seed: int | None = None

    def __iter__(self) -> Iterator[Trial]:
        started = time.monotonic()
        for at in range(self.n):
            self.current_seed = self.first_seed + at
            # Seen only when a trial fails: pytest shows the output of failures.
            print(f"{self.promise.number}: trial {at + 1} of {self.n}, seed {self.current_seed}")
            # The same seed chooses differently for different promises.
            chance = random.Random(f"{self.promise.number}:{self.current_seed}")
            yield Trial(self.current_seed, chance, self.recoveries, self.notes)
            self.passed += 1
            self.seconds = time.monotonic() - started
        self.current_seed = None


def told_by(fields: Mapping[str, Any]) -> Trials:
    """Return the trials that another process told by their fields."""
    return Trials(**{**fields, "promise": Promise(**fields["promise"])})


HEAD = (
    "| | promise | fault | trials | passed | recovery, median / p95 / max | seconds | on |",
    "|---|---|---|---|---|---|---|---|",
)


def write(page: Path, results: list[Trials], *, day: str, preface: str) -> None:
    """Put the results into the page's table, where they replace those of the same fault.

    So the whole of it may be measured in portions; each row says when.
    """
    text = page.read_text()
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    rows = {_key(line): line for line in table.splitlines() if ROW.match(line)}
    rows |= {_key(row): row for row in (_row(one, day) for one in _joined(results))}
    ordered = sorted(rows.values(), key=lambda row: (_key(row)[0][0], int(_key(row)[0][1:]), row))
    lines = [before + BEGIN, preface, "", *HEAD, *ordered, END + after]
    page.write_text("\n".join(lines))


def _joined(results: list[Trials]) -> list[Trials]:
    """Return one for each fault: a test with parameters tries the same one several times."""
    joined: dict[tuple[str, str], Trials] = {}
    for one in results:
        key = (one.promise.number, one.promise.fault)
        if key not in joined:
            joined[key] = replace(one, recoveries=[], notes={}, n=0, passed=0, seconds=0.0)
        whole = joined[key]
        whole.n, whole.passed = whole.n + one.n, whole.passed + one.passed
        whole.seconds += one.seconds
        whole.recoveries += one.recoveries
        for name, values in one.notes.items():
            whole.notes[name] = whole.notes.get(name, []) + values
    return list(joined.values())


def _key(row: str) -> tuple[str, str]:
    """Return what a row is about: the promise's number and the fault."""
    cells = row.split(" | ")
    return cells[0].strip("| "), cells[2]


def _row(one: Trials, day: str) -> str:
    promise = one.promise
    cells = (promise.number, promise.text, promise.fault, one.n, one.passed, _recovery(one))
    return "| " + " | ".join(map(str, (*cells, f"{one.seconds:.0f}", day))) + " |"


def _recovery(one: Trials) -> str:
    parts = []
    if one.recoveries:
        ordered = sorted(one.recoveries)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        parts.append(f"{statistics.median(ordered):.1f} / {p95:.1f} / {ordered[-1]:.1f} s")
    parts += [f"{name} {statistics.median(values):.3g}" for name, values in one.notes.items()]
    return ", ".join(parts) or "–"
