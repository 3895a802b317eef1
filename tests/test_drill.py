"""The operator's drill, against a running installation."""

import json
from pathlib import Path

import pytest

from documents.states import Status
from processing import drill
from processing.models import Chunk
from tests.factories import make_batch, make_document
from tests.stack import running


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_a_drill_kills_a_worker_and_finds_nothing_lost(home: Path) -> None:
    with running(home, LEASE_SECONDS="5", HEARTBEAT_SECONDS="1") as stack:
        before = set(stack.worker_pids())

        refused = stack.manage("drill", check=False)
        done = stack.manage("drill", "--yes", "--json", "--documents", "30", "--silence", "3")

        assert refused.returncode == 1
        assert "kills a worker" in refused.stderr
        report = json.loads(done.stdout)
        assert report["problems"] == []
        assert report["documents"] == 30
        assert report["killed_pid"] in before
        assert report["finished_seconds"] >= 3


@pytest.mark.django_db
def test_a_drill_tells_what_was_lost() -> None:
    batch = make_batch()
    document = make_document(batch, status=Status.READY, path="drill-1.txt")
    make_document(batch, status=Status.FAILED, path="drill-2.txt")
    Chunk.objects.create(
        workspace=batch.workspace,
        document=document,
        ordinal=0,
        page=1,
        start=0,
        end=4,
        text="word",
    )

    problems = drill.find_problems(batch, 2)

    assert "2 documents went in, and now they are" in problems[0]
    assert "drill-1.txt has no vectors" in problems
