"""A process that is asked to end brings to its end what it can, and gives back what it cannot."""

import http.client
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from config import local_services
from tests.api_client import ApiClient
from tests.stack import Stack, running, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

PARSES = 8
STOP_SECONDS = 30.0
PASSWORD = "correct-horse-battery"
SERVICE_RESTART = 1012


@pytest.fixture
def faults(home: Path) -> Path:
    """Where a document is named whose reading never ends."""
    folder = home.parent / "faults"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@pytest.fixture
def eight_threads(home: Path, faults: Path) -> Iterator[Stack]:
    options = {"WORKER_PROCESSES": "1", "WORKER_THREADS": str(PARSES)}
    with running(home, **options, SLUICE_FAULTS=str(faults)) as stack:
        # The demo account is made, too: what starts is over.
        stack.wait_shown()
        yield stack


def rows(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(local_services.urls(stack.home).database_url) as connection:
        return connection.execute(query).fetchall()


def statuses(client: ApiClient) -> list[str]:
    return [each["status"] for each in client.get("documents").json()["results"]]


def reading(stack: Stack) -> int:
    (row,) = rows(
        stack,
        "select count(*) from processing_stagerun where stage = 'extract' and state = 'leased'",
    )
    return int(row[0])


def test_a_worker_that_is_told_to_end_hands_eight_parses_back(
    eight_threads: Stack, faults: Path
) -> None:
    stack = eight_threads
    client = ApiClient(stack.url, stack.create_user("olive"))
    pages = {f"page-{at}.html": f"<p>Gate {at} was opened.</p>".encode() for at in range(PARSES)}
    client.drop("Slow", pages)
    wait_until(lambda: statuses(client) == ["ready"] * PARSES, "all are read once", seconds=180)
    for name in pages:
        (faults / f"child.in_task@{name}").write_text("sleep 600")
    for document in client.get("documents").json()["results"]:
        client.post(f"documents/{document['id']}/reprocess", {})
    wait_until(lambda: reading(stack) == PARSES, "all are being read", seconds=120)
    master = psutil.Process(stack.pids()["worker-1"])
    everything = [master, *master.children(recursive=True)]

    asked = time.monotonic()
    master.terminate()
    _, left = psutil.wait_procs(everything, timeout=STOP_SECONDS)

    assert left == []
    assert time.monotonic() - asked < STOP_SECONDS
    returned = rows(
        stack,
        "select count(*) from processing_stageattempt a join processing_stagerun r"
        " on r.id = a.run_id where r.stage = 'extract' and a.outcome = 'returned'",
    )
    assert returned == [(PARSES,)]
    # The next worker may have taken some again, as their first attempt.
    assert rows(stack, "select max(crashes), max(attempt) from processing_stagerun") == [(0, 1)]


def test_a_web_process_that_is_told_to_end_takes_the_upload_in_hand(own_stack: Stack) -> None:
    client = ApiClient(own_stack.url, own_stack.create_user("olive"))
    batch = client.post("batches", {"name": "Late", "expected_documents": 1}).json()["id"]
    content = b"The sluice gate was opened at dawn. " * 1000
    (upload,) = client.register(batch, {"late.txt": content})
    first = own_stack.pids()["web"]
    sending = http.client.HTTPConnection("127.0.0.1", own_stack.port, timeout=30)
    sending.putrequest("PUT", upload["upload"]["url"])
    for name, value in {**upload["upload"]["headers"], "Content-Length": len(content)}.items():
        sending.putheader(name, str(value))
    sending.endheaders()
    sending.send(content[:1000])
    listener = open_socket(own_stack, batch)

    os.kill(first, signal.SIGTERM)
    wait_until(lambda: refuses(own_stack.port), "it takes no new connection", seconds=5)
    sending.send(content[1000:])

    assert sending.getresponse().status == 201
    with pytest.raises(ConnectionClosed) as closed:
        hear_out(listener)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == SERVICE_RESTART
    wait_until(lambda: own_stack.pids()["web"] != first, "another web process runs")
    wait_until(own_stack.is_ready, "it is ready")
    client.complete(batch, [upload["id"]])
    client.wait_until(batch, searchable=1)


def open_socket(stack: Stack, batch: str) -> Any:
    """Sign in as a browser does, and listen to the batch."""
    with httpx.Client(base_url=stack.url, timeout=30.0) as browser:
        browser.get("/login/")
        form = {
            "username": "olive",
            "password": PASSWORD,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        assert browser.post("/login/", data=form).status_code == 302
        cookie = {"Cookie": f"sessionid={browser.cookies['sessionid']}"}
    url = f"{stack.url.replace('http', 'ws')}/ws/batches/{batch}/"
    listener = connect(url, origin=Origin(stack.url), additional_headers=cookie)
    assert "snapshot" in str(listener.recv(timeout=30))
    return listener


def hear_out(listener: Any) -> None:
    """Listen until the socket is closed."""
    while True:
        listener.recv(timeout=30)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False
