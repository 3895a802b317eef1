"""`manage.py bench`: measure Sluice on this machine."""

import dataclasses
import json
import os
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from processing import reading
from processing.benchmarks import retrieval, sandbox, upload
from processing.benchmarks.caller import CallError
from processing.benchmarks.search import Measured, loaded, measure
from processing.search import Mode


class Command(BaseCommand):
    help = "Measure Sluice on this machine. Nothing stays in the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        benches = parser.add_subparsers(dest="bench", required=True)
        search = benches.add_parser("search", help="how well and how fast search answers")
        search.add_argument(
            "--cranfield",
            type=Path,
            required=True,
            metavar="DIR",
            help=f"a folder with {', '.join(retrieval.FILES)}",
        )
        search.add_argument("--runs", type=int, default=1, help="ask everything so many times")
        _add_upload(benches.add_parser("upload", help="how fast uploads are acknowledged"))
        child = benches.add_parser("sandbox", help="what reading in a child of its own costs")
        child.add_argument("--calls", type=int, default=200, metavar="N")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["bench"] == "upload":
            self._measure_uploads(options)
        elif options["bench"] == "sandbox":
            self._measure_sandbox(options["calls"])
        else:
            self._measure_search(options)

    def _measure_sandbox(self, calls: int) -> None:
        try:
            times = sandbox.measure(calls)
        finally:
            reading.close_sandbox()
        self._write_spread(times)

    def _write_spread(self, values_by_name: Mapping[str, Sequence[float]]) -> None:
        self.stdout.write(f"{'':28}{'min':>10}{'median':>10}{'max':>10}")
        for name, values in values_by_name.items():
            shown = "".join(f"{each:10.1f}" for each in (min(values), median(values), max(values)))
            self.stdout.write(f"{name:28}{shown}")

    def _measure_uploads(self, options: dict[str, Any]) -> None:
        load = upload.Load(
            calls=options["calls"],
            completes=options["completes"],
            uploaders=options["uploaders"],
            documents=options["documents"],
            stat_seconds=options["head_ms"] / 1000,
        )
        try:
            runs = [upload.measure(load) for _ in range(options["runs"])]
        except CallError as error:
            raise CommandError(str(error)) from error
        self._write_spread({name: [run.figures[name] for run in runs] for name in runs[0].figures})
        errors = sum((Counter(run.errors) for run in runs), Counter[str]())
        for what, n in errors.items():
            self.stdout.write(f"{n} x {what}")
        if options["json"]:
            shown_runs = [dataclasses.asdict(run) for run in runs]
            told = {"load": dataclasses.asdict(load), "cpus": os.cpu_count(), "runs": shown_runs}
            self.stdout.write(json.dumps(told))

    def _measure_search(self, options: dict[str, Any]) -> None:
        try:
            test_set = retrieval.read(options["cranfield"])
        except FileNotFoundError as error:
            raise CommandError(f"There is no {error.filename}.") from error
        self.stdout.write(
            f"{len(test_set.documents)} documents, {len(test_set.questions)} questions"
        )
        self.stdout.write(f"{'mode':10}{'nDCG@10':>10}{'graded':>10}{'p50 ms':>10}{'p95 ms':>10}")
        with loaded(test_set) as user:
            for _ in range(options["runs"]):
                for mode in Mode:
                    self.stdout.write(_line(measure(user, test_set, mode)))


def _line(measured: Measured) -> str:
    return (
        f"{measured.mode:10}{measured.ndcg:10.4f}{measured.ndcg_graded:10.4f}"
        f"{measured.p50_seconds * 1000:10.1f}{measured.p95_seconds * 1000:10.1f}"
    )


def _add_upload(parser: ArgumentParser) -> None:
    parser.add_argument("--calls", type=int, default=20, metavar="N")
    parser.add_argument("--completes", type=int, default=50, metavar="N")
    parser.add_argument("--uploaders", type=int, default=300, metavar="N")
    parser.add_argument("--documents", type=int, default=10, metavar="N")
    parser.add_argument("--head-ms", type=float, default=20.0, metavar="MS")
    parser.add_argument("--runs", type=int, default=1, metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
