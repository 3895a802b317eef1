"""The race tests fail when a safeguard is taken out; each in a pytest of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Queue
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from config import local_services
from tests.chaos.mutations import MUTATIONS, ROOT, VARIABLE, Mutation

# Each takes a processor for some seconds, and a database that it may keep for the next.
AT_ONCE = 2
PATIENCE_SECONDS = 120
TESTS_FAILED = 1
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def mutants(
    request: pytest.FixtureRequest, services: local_services.Services
) -> Iterator[dict[str, "Future[Done]"]]:
    """Every mutation that is asked for, on its way."""
    items = request.session.items
    asked = [one for one in MUTATIONS if any(i.name.endswith(f"[{one.name}]") for i in items)]
    names = [f"mutant_{os.getpid()}_{at}" for at in range(AT_ONCE)]
    databases: Queue[str] = Queue()
    for name in names:
        databases.put(name)
    run = running_on(services, databases)
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield {mutation.name: pool.submit(run, mutation) for mutation in asked}
            pool.shutdown(cancel_futures=True)
    finally:
        with psycopg.connect(services.database_url, autocommit=True) as connection:
            for name in names:
                drop = sql.SQL("drop database if exists {} with (force)")
                connection.execute(drop.format(sql.Identifier(f"test_{name}")))


def running_on(
    services: local_services.Services, databases: "Queue[str]"
) -> Callable[[Mutation], Done]:
    def run(mutation: Mutation) -> Done:
        database = databases.get()
        try:
            url = urlsplit(services.database_url)._replace(path=f"/{database}")
            return run_mutant(mutation, urlunsplit(url), services.redis_url)
        finally:
            databases.put(database)

    return run


def run_mutant(mutation: Mutation, database_url: str, redis_url: str) -> Done:
    plugin = ["-p", "tests.chaos.mutant", "--reuse-db"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "-x", "--tb=line", mutation.caught_by],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            VARIABLE: mutation.name,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_missing_safeguard_is_noticed(
    mutation: Mutation, mutants: dict[str, "Future[Done]"]
) -> None:
    done = mutants[mutation.name].result()

    output = done.stdout + done.stderr
    assert done.returncode == TESTS_FAILED, output
    assert f"FAILED {mutation.caught_by}" in output, output
    assert "1 failed" in output, output


def test_every_fragment_stands_in_the_source_once() -> None:
    for mutation in MUTATIONS:
        for edit in mutation.edits:
            assert edit.apply(edit.path.read_text()) != edit.path.read_text(), mutation.name


def test_who_takes_out_more_than_one_says_why() -> None:
    for mutation in MUTATIONS:
        assert bool(mutation.because) == (len(mutation.edits) > 1), mutation.name
