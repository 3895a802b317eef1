"""PostgreSQL or Redis is killed in the middle of a batch: everybody waits, and nobody dies."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from config.local_postgres import LocalPostgres
from config.local_redis import LocalRedis
from tests.api_client import ApiClient
from tests.stack import Stack, running, wait_until
from tests.test_rolling_restart import books

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

DOCUMENTS = 60
AWAY_SECONDS = 5.0
# What is promised after the return of a service.
BACK_SECONDS = 10.0
TRY_LATER = 1013
# A second; two for those who also say what they do about it.
MOST_LINES = 3


class Outside:
    """A PostgreSQL and a Redis that no supervisor starts again, and the stack that uses them."""

    def __init__(self, home: Path) -> None:
        (home / "log").mkdir(parents=True)
        self.postgres = LocalPostgres(home)
        self.redis = LocalRedis(home)
        self.start()

    def start(self) -> None:
        for service in (self.postgres, self.redis):
            service.start()
            service.wait_ready()

    def stop(self) -> None:
        self.redis.stop()
        self.postgres.stop()

    def kill_postgres(self) -> None:
        """SIGKILL the postmaster and every backend, as a machine that loses its power does."""
        pid = int((self.postgres.data / "postmaster.pid").read_text().split("\n", 1)[0])
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            process.kill()
        wait_until(lambda: not self.postgres.is_running(), "PostgreSQL is dead")

    def kill_redis(self) -> None:
        """SIGKILL Redis and forget what it knew."""
        assert self.redis._process is not None
        self.redis._process.kill()
        wait_until(lambda: not self.redis.is_running(), "Redis is dead")
        for path in sorted((self.redis.home / "redis").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


class Visitor(threading.Thread):
    """Asks for a page and for the API all the time, and keeps every answer."""

    def __init__(self, client: ApiClient) -> None:
        super().__init__(daemon=True)
        self.answers: list[httpx.Response] = []
        self.lost: list[httpx.TransportError] = []
        self._headers = dict(client.http.headers)
        self._url = str(client.http.base_url)
        self._over = threading.Event()

    def run(self) -> None:
        try:
            self._visit()
        except httpx.TransportError as error:
            self.lost.append(error)

    def _visit(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as http:
            while not self._over.wait(0.05):
                api = {"Authorization": self._headers["authorization"]}
                self.answers.append(http.get("/api/v1/batches", headers=api))
                # A session that does not exist has to be looked for all the same.
                cookies = {"Cookie": "sessionid=0123456789abcdefghijklmnopqrstuv"}
                for path in ("/batches/", "/admin/", "/login/", "/readyz"):
                    self.answers.append(http.get(path, headers=cookies))

    def finish(self) -> list[httpx.Response]:
        self._over.set()
        self.join(60)
        assert not self.is_alive()
        assert self.lost == []
        return self.answers


@pytest.fixture
def outside(home: Path) -> Iterator[Outside]:
    services = Outside(home)
    yield services
    services.stop()


@pytest.fixture
def stack(home: Path, outside: Outside) -> Iterator[Stack]:
    # Not this home: the supervisor would take its services for its own.
    with running(
        home.parent / "stack",
        DATABASE_URL=outside.postgres.url,
        REDIS_URL=outside.redis.url,
        SECRET_KEY="a-key-of-at-least-fifty-characters-for-an-outage-test",
        WORKER_PROCESSES="2",
        LEASE_SECONDS="15",
        HEARTBEAT_SECONDS="3",
    ) as stack:
        # The demo account is made, too: what starts is over.
        stack.wait_shown()
        yield stack


def searchable(outside: Outside) -> int:
    with psycopg.connect(outside.postgres.url) as connection:
        row = connection.execute(
            "select count(*) from documents_document where status = 'ready'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def crashes(outside: Outside) -> int:
    with psycopg.connect(outside.postgres.url) as connection:
        row = connection.execute("select sum(crashes) from processing_stagerun").fetchone()
    assert row is not None
    return int(row[0])


def log_lines(stack: Stack) -> dict[str, int]:
    logs = {path.name: path.read_text() for path in (stack.home / "log").glob("*.log")}
    return {name: text.count("\n") for name, text in logs.items()}


def wait(seconds: float) -> None:
    """Let an outage last: how long it is, is what is tested."""
    threading.Event().wait(seconds)


def check_answers(answers: list[httpx.Response]) -> None:
    statuses = {answer.status_code for answer in answers}
    assert not {status for status in statuses if status >= 500 and status != 503}, statuses
    refused = [answer for answer in answers if answer.status_code == 503]
    assert all("Retry-After" in answer.headers for answer in refused)


def test_postgres_killed_in_the_middle_of_a_batch_costs_time_only(
    stack: Stack, outside: Outside
) -> None:
    client = ApiClient(stack.url, stack.create_user("olive"))
    batch = client.drop("Outage", books(DOCUMENTS, lines=60))
    pids, workers = stack.pids(), set(stack.worker_pids())
    visitor = Visitor(client)
    visitor.start()

    outside.kill_postgres()
    before = log_lines(stack)
    wait(AWAY_SECONDS)
    written = {name: n - before[name] for name, n in log_lines(stack).items()}
    assert close_code(stack) == TRY_LATER
    outside.start()

    # About one a second from each, whatever is asked meanwhile.
    assert max(written.values()) <= AWAY_SECONDS * MOST_LINES, written
    wait_until(stack.is_ready, "everything is connected again", seconds=BACK_SECONDS)
    assert client.get("batches").status_code == 200
    client.wait_until(batch, searchable=DOCUMENTS, seconds=240)
    answers = visitor.finish()
    check_answers(answers)
    assert 503 in {answer.status_code for answer in answers}
    wait_until(
        lambda: {document["status"] for document in client.documents(batch)} == {"ready"},
        "what is optional is done as well",
        seconds=120,
    )
    assert (stack.pids(), set(stack.worker_pids())) == (pids, workers)
    assert crashes(outside) == 0


def test_redis_killed_in_the_middle_of_a_batch_is_not_missed(
    stack: Stack, outside: Outside
) -> None:
    client = ApiClient(stack.url, stack.create_user("olive"))
    pids, workers = stack.pids(), set(stack.worker_pids())
    visitor = Visitor(client)

    outside.kill_redis()
    visitor.start()
    batch = client.drop("Outage", books(DOCUMENTS, lines=60))
    wait_until(lambda: searchable(outside) >= 10, "documents are ready without Redis", seconds=120)
    assert close_code(stack) == TRY_LATER
    outside.start()

    wait_until(stack.is_ready, "everything is connected again", seconds=BACK_SECONDS)
    client.wait_until(batch, searchable=DOCUMENTS, seconds=240)
    check_answers(visitor.finish())
    assert (stack.pids(), set(stack.worker_pids())) == (pids, workers)
    assert crashes(outside) == 0


def test_a_redis_that_is_full_breaks_no_upload_and_no_worker(
    stack: Stack, outside: Outside
) -> None:
    client = ApiClient(stack.url, stack.create_user("olive"))
    redis.Redis.from_url(outside.redis.url).config_set("maxmemory", "1")

    batch = client.drop("Full", books(10, lines=5))

    client.wait_until(batch, searchable=10, seconds=120)


def close_code(stack: Stack) -> int:
    """Return the code that a socket is closed with."""
    batch = "0" * 8 + "-0000-0000-0000-" + "0" * 12
    url = f"{stack.url.replace('http', 'ws')}/ws/batches/{batch}/"
    cookie = {"Cookie": "sessionid=0123456789abcdefghijklmnopqrstuv"}
    with (
        connect(url, origin=Origin(stack.url), additional_headers=cookie) as socket,
        pytest.raises(ConnectionClosed) as closed,
    ):
        socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)


def test_processes_that_start_without_a_database_wait_for_it(
    stack: Stack, outside: Outside
) -> None:
    outside.kill_postgres()
    first = stack.pids()
    for pid in first.values():
        os.kill(pid, signal.SIGTERM)
    wait_until(
        lambda: (
            len(stack.pids()) == len(first)
            and set(stack.pids().values()).isdisjoint(first.values())
        ),
        "all were started again",
        seconds=60,
    )
    second = stack.pids()
    wait_until(lambda: answers_503(stack), "the web answers", seconds=60)

    outside.start()

    wait_until(stack.is_ready, "everything is connected", seconds=30)
    assert stack.pids() == second


def answers_503(stack: Stack) -> bool:
    try:
        answer = httpx.get(f"{stack.url}/readyz", timeout=30)
    except httpx.TransportError:
        return False
    return answer.status_code == 503 and "Retry-After" in answer.headers
