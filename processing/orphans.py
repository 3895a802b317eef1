"""Runs that are leased to a process which does not know of it.

A connection that breaks while a claim commits, or while a run is handed back, leaves one
behind: nobody works on it, and the reaper would count it as a crash.
"""

from collections.abc import Collection
from uuid import UUID

import structlog

from documents.errors import LeaseLostError
from processing import leases
from processing.models import RunState, StageName, StageRun
from processing.stage import Lease

log = structlog.get_logger(__name__)


def find(worker: UUID, *, held: Collection[UUID]) -> list[StageRun]:
    """Return the runs the rows give to this process, without those it holds by these tokens."""
    leased = StageRun.objects.filter(state=RunState.LEASED, lease_worker=worker)
    return [run for run in leased if run.lease_token not in held]


def hand_back(run: StageRun) -> None:
    """Give a run back uncharged, if it is still leased by the same token."""
    if run.lease_token is None:
        raise LeaseLostError
    lease = Lease(
        run_id=run.id,
        document_id=run.document_id,
        workspace_id=run.workspace_id,
        generation=run.generation,
        stage=StageName(run.stage),
        attempt=run.attempt,
        max_attempts=run.max_attempts,
        crashes=run.crashes,
        token=run.lease_token,
    )
    leases.hand_back(lease)
    log.info("orphan_handed_back", document_id=str(run.document_id), stage=run.stage)
