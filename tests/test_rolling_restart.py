"""Restart everything in the middle of a batch: nothing is lost, and nothing done twice."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config import local_services
from tests.api_client import ApiClient
from tests.stack import Stack, running, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

PROCESSES = ("worker-1", "conductor", "web", "worker-2")
DOCUMENTS = 60


def books(n: int, *, lines: int) -> dict[str, bytes]:
    """Return documents that take a while: each has many chunks to embed."""
    return {
        f"books/{at % 7}/book-{at}.md": (
            f"# Book {at}\n\n"
            + "\n\n".join(
                f"On day {day} the sluice gate number {at} was opened at dawn and closed at dusk."
                for day in range(lines)
            )
        ).encode()
        for at in range(n)
    }


def rows(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(local_services.urls(stack.home).database_url) as connection:
        return connection.execute(query).fetchall()


def outcomes(stack: Stack) -> set[str]:
    return {outcome for (outcome,) in rows(stack, "select outcome from processing_stageattempt")}


def unfinished(stack: Stack) -> list[tuple[Any, ...]]:
    """Return what is still waited for or worked on."""
    query = "select id from processing_stagerun where state in ('ready', 'leased', 'blocked')"
    return rows(stack, query)


def check_whole(stack: Stack, client: ApiClient, batch: str, n: int) -> None:
    """Every document is ready, was embedded once, and the projection says the same."""
    wait_until(lambda: not unfinished(stack), "what is optional is done as well", seconds=120)
    documents = client.documents(batch)
    assert len(documents) == n
    assert {document["status"] for document in documents} == {"ready"}
    embedded = rows(
        stack,
        "select r.document_id, count(*) from processing_stageattempt a "
        "join processing_stagerun r on r.id = a.run_id "
        f"join documents_document d on d.id = r.document_id and d.batch_id = '{batch}' "
        "where r.stage = 'embed' and a.outcome = 'ok' group by 1",
    )
    assert [n for _, n in embedded] == [1] * n
    assert rows(stack, "select max(crashes) from processing_stagerun") == [(0,)]
    counts = client.progress(batch)["counts"]
    assert counts["searchable"] == n
    assert counts["awaiting"] + counts["uploaded"] + counts["processing"] == 0


def restart(stack: Stack, name: str) -> None:
    """Ask one process to end, as an update would, and wait until another has its place."""
    before = stack.pids()[name]
    os.kill(before, signal.SIGTERM)
    wait_until(lambda: stack.pids().get(name, before) != before, f"{name} was started again")
    wait_until(stack.is_ready, f"everything is ready after {name}", seconds=60)


@pytest.fixture
def two_workers(home: Path) -> Iterator[Stack]:
    with running(home, WORKER_PROCESSES="2") as stack:
        # The demo account is made, too: what starts is over.
        stack.wait_shown()
        yield stack


def test_every_process_restarted_in_the_middle_of_a_batch_loses_nothing(
    two_workers: Stack,
) -> None:
    stack = two_workers
    client = ApiClient(stack.url, stack.create_user("olive"))
    before = stack.pids()
    share = DOCUMENTS // len(PROCESSES)
    batches = []

    for name in PROCESSES:
        # A share for each, so that there is work in hand however fast the machine is.
        contents = {f"{name}/{path}": body for path, body in books(share, lines=60).items()}
        contents = {path: body + path.encode() for path, body in contents.items()}
        batches.append(client.drop(name, contents))
        restart(stack, name)

    assert set(before.values()).isdisjoint(stack.pids().values())
    for batch in batches:
        client.wait_until(batch, searchable=share, seconds=240)
        check_whole(stack, client, batch, share)
    assert outcomes(stack) <= {"ok", "returned"}


@pytest.fixture
def renewing(home: Path) -> Iterator[Stack]:
    with running(home, WORKER_PROCESSES="2", WORKER_MAX_JOBS="25", SANDBOX_MAX_CALLS="10") as stack:
        # The demo account is made, too: what starts is over.
        stack.wait_shown()
        yield stack


def test_workers_that_are_renewed_end_what_they_have_and_are_replaced_at_once(
    renewing: Stack,
) -> None:
    client = ApiClient(renewing.url, renewing.create_user("olive"))
    first = set(renewing.worker_pids())
    batch = client.drop("Renewed", books(DOCUMENTS, lines=20))

    client.wait_until(batch, searchable=DOCUMENTS, seconds=240)

    wait_until(lambda: first.isdisjoint(renewing.worker_pids()), "both workers were renewed")
    check_whole(renewing, client, batch, DOCUMENTS)
    # What a worker has in hand it brings to its end: nothing is handed back for a renewal.
    assert outcomes(renewing) == {"ok"}
    log = (renewing.home / "log" / "worker-1.log").read_text()
    assert "worker_renews" in log
    assert "Traceback" not in log
