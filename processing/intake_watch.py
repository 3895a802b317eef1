"""The loop of `manage.py ingest --watch`: look, send, wait, until told to end."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from time import monotonic

from django.db import Error as DatabaseError
from django.db import connection

from documents.errors import TransientError
from documents.folders import LeftOut, Refused
from documents.models import Batch
from documents.outages import is_database_away
from documents.services.delivery import Taken
from documents.services.watching import Watch, send_settled
from processing.intake_report import Receipt

INTERVAL_SECONDS = 5.0


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and Ctrl-C set, instead of what they do otherwise."""
    stop = threading.Event()
    before = {
        signum: signal.signal(signum, lambda *_: stop.set())
        for signum in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@dataclass(slots=True)
class Watcher:
    """Brings what settles in some folders into a batch, and tells what became of it."""

    batch: Batch
    watch: Watch
    receipt: Receipt
    tell: Callable[[str], object]
    refused: set[tuple[str, str]] = field(default_factory=set)

    def run(self, stop: threading.Event, interval_seconds: float) -> None:
        """Look again and again until `stop` is set; what is under way then is completed.

        Waits for storage and database while they are away. Raises ConflictError once the
        batch is cancelled.
        """
        while not stop.is_set():
            try:
                self._look(stop)
            except TransientError as error:
                self.tell(f"{error.detail} It will be tried again.")
            except DatabaseError as error:
                if not is_database_away(error):
                    raise
                connection.close()
                self.tell("The database is away. It will be tried again.")
            stop.wait(interval_seconds)

    def _look(self, stop: threading.Event) -> None:
        before = self.receipt.sent, self.receipt.known
        # Closed when it is left early, which completes what has arrived.
        with closing(send_settled(self.batch, self.watch, monotonic())) as outcomes:
            for outcome in outcomes:
                self._note(outcome)
                if stop.is_set():
                    break
        sent, known = self.receipt.sent - before[0], self.receipt.known - before[1]
        if sent or known:
            self.tell(f"{sent} sent, {known} were known.")

    def _note(self, outcome: Taken | Refused | LeftOut) -> None:
        if isinstance(outcome, Refused):
            said = (outcome.path, outcome.error.code)
            if said in self.refused:
                return  # It is looked at again and again, and told once.
            self.refused.add(said)
            self.tell(f"{outcome.path}: {outcome.error.detail} ({outcome.error.code})")
        self.receipt.note(outcome)
