"""`manage.py drill`: strike a running installation, and see whether anything is lost."""

import dataclasses
import json
from argparse import ArgumentParser
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from documents.errors import SluiceError
from processing.drill import Report, drill

WARNING = (
    "The drill kills a worker of this machine with SIGKILL and keeps every doorbell silent for "
    "{silence:g} s, for everybody. Nothing is lost by it, but everybody's documents wait. "
    "Say --yes if that is what you want."
)


class Command(BaseCommand):
    help = "Kill a worker and silence all doorbells while documents are worked on; nothing is lost."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="really do it")
        parser.add_argument("--documents", type=int, default=60, metavar="N")
        parser.add_argument("--silence", type=float, default=60.0, metavar="SECONDS")
        parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS")
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"]:
            raise CommandError(WARNING.format(silence=options["silence"]))
        if options["documents"] < 1:
            raise CommandError("A drill needs at least one document.")
        say = self.stderr.write if options["json"] else self.stdout.write
        try:
            report = drill(
                documents=options["documents"],
                silence_seconds=options["silence"],
                timeout_seconds=options["timeout"],
                tell=say,
            )
        except SluiceError as error:
            raise CommandError(error.detail) from error
        except redis.RedisError as error:
            raise CommandError(f"Redis is away, so nothing could be silenced: {error}") from error
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(report)))
        else:
            self.stdout.write(_as_text(report))
        if report.problems:
            raise CommandError(f"The drill found problems; its batch {report.batch} is kept.")


def _as_text(report: Report) -> str:
    recovered = (
        f"what the killed worker held was done after {report.recovered_seconds:g} s"
        if report.recovered_seconds is not None
        else "the killed worker held nothing"
    )
    lines = [
        f"{report.documents} documents finished after {report.finished_seconds:g} s; {recovered}.",
        *(f"PROBLEM: {problem}" for problem in report.problems),
    ]
    if not report.problems:
        lines.append(
            "Nothing was lost, and nothing was done twice. The drill's documents are removed."
        )
    return "\n".join(lines)
