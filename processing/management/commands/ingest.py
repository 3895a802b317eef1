"""`manage.py ingest`: documents of this machine, by the services a browser uses."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from documents.errors import SluiceError
from documents.folders import Found, LeftOut, Refused, walk
from documents.management.named import get_batch, get_place, get_workspace
from documents.models import Batch, Workspace
from documents.services import intake
from documents.services.rehearsal import rehearse
from documents.services.watching import Watch
from documents.states import FINAL, Status
from processing.intake_report import Receipt, as_json, as_text, rehearsal_json, rehearsal_text
from processing.intake_watch import INTERVAL_SECONDS, Watcher, stopping
from processing.models import Worker
from processing.outcome import Counts, is_alive, outcome_of, wait

STOPPED = 130


@dataclass(frozen=True, slots=True)
class Place:
    """Who adds documents where, and the batch to continue if there is one."""

    user: AbstractBaseUser
    workspace: Workspace
    name: str
    known: Batch | None

    def imagine(self) -> Batch:
        """Return the batch, or what it would be."""
        return self.known or Batch(workspace=self.workspace, name=self.name)

    def open(self, expected: int) -> Batch:
        """Return the batch, made if need be."""
        return self.known or intake.open_batch(
            self.workspace, self.user, name=self.name, expected_documents=expected
        )


class Command(BaseCommand):
    help = "Add files and folders. Run it again, and only what is missing is sent."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--workspace", metavar="NAME|ID", help="where the documents go")
        parser.add_argument("--user", metavar="USERNAME", help="who adds them")
        parser.add_argument("--name", help="the batch's name instead of the paths")
        parser.add_argument("--batch", metavar="ID", help="continue this batch")
        parser.add_argument("--wait", action="store_true", help="until every document has ended")
        parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="wait no longer")
        parser.add_argument("--strict", action="store_true", help="exit 1 if any did not make it")
        parser.add_argument("--watch", action="store_true", help="until SIGTERM or Ctrl-C")
        parser.add_argument(
            "--interval",
            type=_seconds,
            metavar="SECONDS",
            help=f"between two looks of --watch ({INTERVAL_SECONDS:g})",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")

    def handle(self, *args: Any, paths: list[Path], **options: Any) -> None:
        missing = [str(path) for path in paths if not path.exists()]
        if missing:
            raise CommandError(f"There is nothing at {', '.join(missing)}.")
        place = _place(paths, options)
        receipt = Receipt(started_at=timezone.now())
        if options["watch"]:
            self._watch(place, paths, receipt, options)
            return
        if options["dry_run"]:
            rehearsal = rehearse(place.imagine(), _documents(paths, receipt))
            tell = rehearsal_json if options["json"] else rehearsal_text
            self.stdout.write(tell(rehearsal, receipt))
            return
        expected = sum(isinstance(entry, Found) for entry in walk(paths))
        batch = place.open(expected)
        trouble = self._send(batch, _documents(paths, receipt), expected, receipt)
        in_time = not options["wait"] or self._wait(batch, options["timeout"])
        outcome = outcome_of(batch.id, receipt.started_at)
        self.stdout.write((as_json if options["json"] else as_text)(batch, receipt, outcome))
        if trouble is not None:
            raise CommandError(f"{trouble.detail} Run the same command again to go on.")
        if not in_time:
            raise CommandError(f"Not everything had ended after {options['timeout']:g} s.")
        if options["strict"] and (receipt.refused or outcome.failed):
            raise CommandError("Not every document made it (--strict).")

    def _send(
        self, batch: Batch, documents: Iterator[Found], expected: int, receipt: Receipt
    ) -> SluiceError | None:
        """Send what is missing; return what stopped it, if something did."""
        with tqdm(total=expected, desc="Sending", unit=" documents", disable=None) as bar:
            try:
                for outcome in intake.send(batch, documents):
                    receipt.note(outcome)
                    bar.update()
            except SluiceError as error:
                return error
            except KeyboardInterrupt as error:
                raise CommandError(
                    "Stopped. Run the same command again to go on.", returncode=STOPPED
                ) from error
        return None

    def _watch(
        self, place: Place, paths: list[Path], receipt: Receipt, options: dict[str, Any]
    ) -> None:
        """Bring in what comes, until told to end; what is under way then is completed."""
        if options["wait"] or options["dry_run"]:
            raise CommandError("--watch never ends: it goes with neither --wait nor --dry-run.")
        batch = place.open(0)
        self.stderr.write(f"Watching for documents of batch {batch.id}; Ctrl-C ends it.")
        interval = INTERVAL_SECONDS if options["interval"] is None else options["interval"]
        with stopping() as stop:
            try:
                Watcher(batch, Watch(paths), receipt, self.stderr.write).run(stop, interval)
            except SluiceError as error:
                raise CommandError(error.detail) from error
        outcome = outcome_of(batch.id, receipt.started_at)
        self.stdout.write((as_json if options["json"] else as_text)(batch, receipt, outcome))

    def _wait(self, batch: Batch, timeout: float | None) -> bool:
        """Watch the batch to its end; False if the time is over first."""
        with tqdm(desc="Processing", unit=" documents", disable=None) as bar:
            alone = False

            def tell(counts: Counts) -> None:
                nonlocal alone
                was_alone, alone = alone, not is_alive(Worker.Kind.WORKER)
                if alone and not was_alone:
                    self.stderr.write("No worker is running; waiting for one (`make run`).")
                bar.total = sum(counts.values())
                bar.n = sum(counts.get(status, 0) for status in FINAL)
                bar.set_postfix(searchable=counts.get(Status.READY, 0))

            try:
                return wait(batch.id, timeout, tell)
            except KeyboardInterrupt as error:
                raise CommandError(
                    "Stopped waiting; the work goes on.", returncode=STOPPED
                ) from error


def _place(paths: list[Path], options: dict[str, Any]) -> Place:
    """Return where these arguments lead; the same ones lead to the same batch again."""
    if options["batch"] is not None:
        named = options["workspace"]
        batch = get_batch(options["batch"], get_workspace(named) if named else None)
        user, workspace = get_place(options["user"], str(batch.workspace_id))
        return Place(user, workspace, batch.name, batch)
    user, workspace = get_place(options["user"], options["workspace"])
    name = options["name"] or ", ".join(str(path.resolve()) for path in paths)
    return Place(user, workspace, name, intake.find_batch(workspace, name))


def _documents(paths: list[Path], receipt: Receipt) -> Iterator[Found]:
    """Yield what can be sent, and note the rest."""
    for entry in walk(paths):
        if isinstance(entry, Refused | LeftOut):
            receipt.note(entry)
        else:
            yield entry


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ArgumentTypeError(f"{text} is not a number of seconds")
    return seconds
