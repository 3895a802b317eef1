"""What the end of a run means for the other runs of its job."""

from collections.abc import Sequence

from django.conf import settings
from django.db import connection

from documents.models import Document
from processing.models import StageName
from processing.pipeline import joining
from processing.stage import Lease


def open_following(
    lease: Lease, document: Document, following: Sequence[StageName]
) -> list[StageName]:
    """Make what follows ready and return it; a stage of only some documents gets its run here."""
    _join(lease, joining(following, document))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_stagerun set state = 'ready', run_at = statement_timestamp()
            where job_id = (select job_id from processing_stagerun where id = %s)
              and state = 'blocked' and stage = any(%s) returning stage
            """,
            [lease.run_id, list(following)],
        )
        opened = {row[0] for row in cursor.fetchall()}
    return [name for name in following if name in opened]


def skip_the_rest(lease: Lease) -> list[StageName]:
    """End the job here: nothing is left to do, so nothing becomes ready."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update processing_stagerun set state = 'skipped', run_at = statement_timestamp()
            where job_id = (select job_id from processing_stagerun where id = %s)
              and state = 'blocked'
            """,
            [lease.run_id],
        )
    return []


def _join(lease: Lease, stages: Sequence[StageName]) -> None:
    """Add runs of these stages to the job, unless they are there from an earlier time."""
    if not stages:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into processing_stagerun (
              job_id, workspace_id, document_id, generation, prio, stage, state,
              attempt, crashes, max_attempts, error_code, error_text)
            select job_id, workspace_id, document_id, generation, prio, unnest(%s::text[]),
                   'blocked', 0, 0, %s, '', ''
            from processing_stagerun where id = %s
            on conflict (job_id, stage) do nothing
            """,
            [list(stages), settings.MAX_ATTEMPTS, lease.run_id],
        )
