"""What a stage is: a name, a place in the pipeline, and the function that does it.

Stages import this module and never the pipeline, which lists them.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from documents.errors import LeaseLostError, SluiceError
from documents.models import Document
from processing.models import StageName

# The outputs of a stage, written inside the transaction that finishes it. The
# document is locked and current. Returns False when nothing is left to do.
Write = Callable[[Document], bool]
Kill = Callable[[BaseException], None]


@dataclass(frozen=True, slots=True)
class Aside:
    """What a long piece of work has so far: it is kept, and goes on when its turn comes again.

    `keep` writes it inside the transaction that gives the run back. The document is locked and
    current. For `rest_seconds` everybody else goes first.
    """

    keep: Callable[[Document], None]
    rest_seconds: float


Result = Write | Aside | SluiceError


@dataclass(frozen=True, slots=True)
class Lease:
    """One claimed run: who works on what, and the token that proves it."""

    run_id: int
    document_id: UUID
    workspace_id: UUID
    generation: int
    stage: StageName
    attempt: int
    max_attempts: int
    crashes: int
    token: UUID


class Held:
    """A lease in the hands of this process, until it is finished or lost."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self._lock = threading.Lock()
        self._kill: Kill | None = None
        self._lost: SluiceError | None = None

    def attach(self, kill: Kill) -> None:
        """Have `kill` called when the lease is lost; at once if it is already."""
        with self._lock:
            self._kill, lost = kill, self._lost
        if lost is not None:
            kill(lost)

    def detach(self) -> None:
        """Forget what to kill: it has ended."""
        with self._lock:
            self._kill = None

    def lose(self, reason: SluiceError) -> None:
        """Note from any thread that the result is not wanted, and end the child."""
        with self._lock:
            self._lost, kill = reason, self._kill
        if kill is not None:
            kill(reason)

    @property
    def lost(self) -> SluiceError | None:
        """Return what `lose` was told, if it was."""
        return self._lost

    def check(self) -> None:
        """Raise what `lose` was told, if it was: call it between steps."""
        if self._lost is not None:
            raise self._lost


class ShutdownError(LeaseLostError):
    """This process is ending: hand the work back, unfinished and uncharged."""

    code, title = "shutdown", "The worker is shutting down"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the pipeline.

    `run` takes up to `claim_size` leases and yields each with its write, with what it
    has when it steps aside for others, or with its error. It may be run twice for the
    same document and must not mind.
    """

    name: StageName
    run: Callable[[Sequence[Held]], Iterator[tuple[Held, Result]]]
    after: StageName | None = None
    claim_size: int = 1
    # A document is searchable without what is not required; nothing comes after such a stage.
    is_required: bool = True
    # Which documents it concerns, if not all: only they have a run of it, from the end of `after`.
    concerns: Callable[[Document], bool] | None = None

    @property
    def number(self) -> int:
        """Return a stable number, for advisory locks."""
        return list(StageName).index(self.name)


def one_by_one(
    run: Callable[[Document, Held], Write | Aside],
) -> Callable[[Sequence[Held]], Iterator[tuple[Held, Result]]]:
    """Make a stage's `run` from a function of one document."""

    def run_all(work: Sequence[Held]) -> Iterator[tuple[Held, Result]]:
        for held in work:
            try:
                document = Document.objects.get(id=held.lease.document_id)
                yield held, run(document, held)
            except Document.DoesNotExist:
                yield held, LeaseLostError("The document was deleted.")
            except SluiceError as error:
                yield held, error

    return run_all
