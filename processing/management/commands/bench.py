"""`manage.py bench`: measure Sluice on this machine."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from processing.benchmarks import retrieval
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

    def handle(self, *args: Any, **options: Any) -> None:
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
