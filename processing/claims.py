"""Claim stage runs: one statement, fair between workspaces, by the clock of Postgres."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from documents import faults
from processing.models import RunState, StageName, StageRun
from processing.stage import Lease, Stage

# First key of every advisory lock of Sluice; the second is the stage's number.
LOCK_SPACE = 771

CLAIM = """
with recursive t as (
  (select workspace_id from processing_stagerun where state = 'ready' and stage = %(stage)s
   order by workspace_id limit 1)
  union all
  select (select workspace_id from processing_stagerun
          where state = 'ready' and stage = %(stage)s and workspace_id > t.workspace_id
          order by workspace_id limit 1)
  from t where t.workspace_id is not null),
inf as (select workspace_id, count(*) n from processing_stagerun
        where state = 'leased' and stage = %(stage)s group by 1),
cand as (
  select j.id, j.prio, j.run_at,
    (row_number() over w + coalesce(i.n, 0))::numeric / ws.weight vt,
    row_number() over w + coalesce(i.n, 0) <= ws.max_inflight ok
  from t join documents_workspace ws on ws.id = t.workspace_id
  left join inf i using (workspace_id)
  cross join lateral (
    select id, prio, run_at from processing_stagerun
    where state = 'ready' and stage = %(stage)s and (crashes > 0) = %(quarantine)s
      and workspace_id = t.workspace_id and run_at <= statement_timestamp()
      and (%(resting)s or rests_until is null or rests_until <= statement_timestamp())
    order by prio, run_at, id limit %(n)s) j
  window w as (partition by t.workspace_id order by j.prio, j.run_at, j.id)),
lk as (
  select r.id from processing_stagerun r
  where r.id in (select id from cand where ok order by vt, prio, run_at, id limit %(n)s)
    and r.state = 'ready'
  for update skip locked),
up as (
  update processing_stagerun r
  set state = 'leased', attempt = attempt + 1, lease_token = gen_random_uuid(),
      lease_until = statement_timestamp() + make_interval(secs => %(seconds)s),
      lease_worker = %(worker)s, rests_until = null
  from lk where r.id = lk.id returning r.*),
led as (
  insert into processing_stageattempt (run_id, n, worker, started_at, outcome, error_code,
                                       error_text)
  select id, attempt, %(worker)s, clock_timestamp(), '', '', '' from up)
select id, document_id, workspace_id, generation, stage, attempt, max_attempts, crashes,
       lease_token
from up order by prio, run_at, id
"""


def claim(
    stage: Stage, worker: UUID, *, limit: int, quarantine: bool = False, resting: bool = False
) -> list[Lease]:
    """Lease up to `limit` ready runs of a stage, fairly between workspaces.

    Runs that crashed before are only given out to the quarantine; those that rest after they
    stepped aside only to who asks for them too.
    """
    values: dict[str, Any] = {
        "stage": stage.name.value,
        "n": limit,
        "worker": worker,
        "seconds": settings.LEASE_SECONDS,
        "quarantine": quarantine,
        "resting": resting,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # One claimer of a stage at a time: what is in flight decides whose turn it is.
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, stage.number])
        cursor.execute(CLAIM, values)
        rows = cursor.fetchall()
        if rows:
            faults.point("claim.before_commit")
    if rows:
        faults.point("claim.after_commit")
    return [lease_of(row) for row in rows]


def lease_of(row: tuple[Any, ...]) -> Lease:
    """Return the lease that a row of a run stands for; columns as in CLAIM."""
    run_id, document_id, workspace_id, generation, stage, attempt, limit, crashes, token = row
    return Lease(
        run_id=run_id,
        document_id=document_id,
        workspace_id=workspace_id,
        generation=generation,
        stage=StageName(stage),
        attempt=attempt,
        max_attempts=limit,
        crashes=crashes,
        token=token,
    )


def due_stages(stages: Iterable[Stage], **which: int) -> list[Stage]:
    """Return those of the stages that have a run ready to be claimed now; `which` narrows runs."""
    ready = StageRun.objects.filter(state=RunState.READY, run_at__lte=Now(), **which)
    return [stage for stage in stages if ready.filter(stage=stage.name).exists()]
