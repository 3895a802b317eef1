"""Kill what can be killed in the middle of a batch: it finishes without a human."""

import os
import signal
from typing import Any

import psycopg
import pytest
import redis

from config import local_services
from tests.api_client import ApiClient
from tests.stack import Stack, running, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

DOCUMENTS = 60


def pages(n: int = DOCUMENTS) -> dict[str, bytes]:
    """Return documents by path that are all different and say so."""
    return {
        f"reports/{at % 7}/report-{at}.md": (
            f"# Report {at}\n\n" + f"The sluice gate number {at} was opened at dawn. " * 40
        ).encode()
        for at in range(n)
    }


@pytest.fixture
def fast_stack(tmp_path: Any) -> Any:
    # A lease runs out after LEASE_SECONDS; shorter here, so that the test is.
    with running(tmp_path / "home", LEASE_SECONDS="6", HEARTBEAT_SECONDS="2") as stack:
        yield stack


def rows(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(local_services.urls(stack.home).database_url) as connection:
        return connection.execute(query).fetchall()


def check_nothing_lost_or_doubled(stack: Stack, client: ApiClient, batch: str) -> None:
    """Every document is found once, embedded once, and the projection is the truth."""
    documents = client.documents(batch)
    assert {document["status"] for document in documents} == {"ready"}
    assert len(documents) == DOCUMENTS
    embedded = rows(
        stack,
        "select r.document_id, count(*) from processing_stageattempt a "
        "join processing_stagerun r on r.id = a.run_id "
        f"join documents_document d on d.id = r.document_id and d.batch_id = '{batch}' "
        "where r.stage = 'embed' and a.outcome = 'ok' group by 1",
    )
    assert [n for _, n in embedded] == [1] * DOCUMENTS
    doubled = rows(
        stack,
        "select document_id, generation, ordinal from processing_chunk "
        "group by 1, 2, 3 having count(*) > 1",
    )
    assert doubled == []
    missing = rows(stack, "select id from processing_chunk where embedding is null")
    assert missing == []
    progress = client.progress(batch)
    assert progress["counts"]["searchable"] == DOCUMENTS


def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing(fast_stack: Stack) -> None:
    client = ApiClient(fast_stack.url, fast_stack.create_user("olive"))
    batch = client.drop("Killed", pages())
    client.wait_until(batch, searchable=5)

    victims = fast_stack.worker_pids()
    os.kill(victims[0], signal.SIGKILL)

    client.wait_until(batch, searchable=DOCUMENTS, seconds=180)
    check_nothing_lost_or_doubled(fast_stack, client, batch)
    wait_until(
        lambda: len(set(fast_stack.worker_pids()) - {victims[0]}) == len(victims),
        "the killed worker was replaced",
    )


def test_redis_emptied_in_the_middle_of_a_batch_loses_nothing(fast_stack: Stack) -> None:
    client = ApiClient(fast_stack.url, fast_stack.create_user("olive"))
    batch = client.drop("Emptied", pages())
    client.wait_until(batch, searchable=5)

    redis.Redis.from_url(local_services.urls(fast_stack.home).redis_url).flushall()

    client.wait_until(batch, searchable=DOCUMENTS, seconds=180)
    check_nothing_lost_or_doubled(fast_stack, client, batch)


def test_a_batch_nobody_completed_is_found_and_finished(tmp_path: Any) -> None:
    with running(tmp_path / "home", UPLOAD_IDLE_SECONDS="1") as stack:
        client = ApiClient(stack.url, stack.create_user("olive"))
        batch = client.drop("Closed tab", pages(4), complete=False)

        client.wait_until(batch, searchable=4, seconds=120)

        assert {document["status"] for document in client.documents(batch)} == {"ready"}
