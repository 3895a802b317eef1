"""Whatever finds the database or Redis away, the answer is 503 and never 500."""

import logging
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError
from django.test import Client

from config.log_limits import OutageFilter
from documents.outages import is_database_away

AWAY = OperationalError("the connection is closed")


def caused(kind: type[Exception], sqlstate: str) -> Exception:
    error = kind("refused")
    error.__cause__ = psycopg.errors.lookup(sqlstate)()
    return error


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fail


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    "error",
    [
        AWAY,
        InterfaceError("connection already closed"),
        caused(OperationalError, "53100"),
        caused(OperationalError, "53300"),
        caused(OperationalError, "57P01"),
        caused(OperationalError, "57P02"),
        caused(OperationalError, "57P03"),
        caused(OperationalError, "40P01"),
        caused(InternalError, "25006"),
        caused(InternalError, "25P03"),
        redis.ConnectionError("refused"),
        redis.TimeoutError("nothing came"),
        redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'."),
        redis.ReadOnlyError("You can't write against a read only replica."),
    ],
)
@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("django.contrib.sessions.middleware.SessionMiddleware.process_request", "/"),
        ("django.contrib.sessions.middleware.SessionMiddleware.process_response", "/livez"),
        ("config.middleware.PlainQueryMiddleware.__call__", "/api/v1/batches"),
        ("config.authentication.TokenAuthentication.authenticate", "/api/v1/batches"),
    ],
)
def test_a_service_that_is_away_is_a_503_wherever_it_is_missed(
    client: Client, monkeypatch: pytest.MonkeyPatch, where: str, path: str, error: Exception
) -> None:
    monkeypatch.setattr(where, raising(error))

    answer = client.get(path)

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    is_problem = answer["Content-Type"] == "application/problem+json"
    assert is_problem == path.startswith("/api/")


def test_a_bug_is_still_a_500(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    where = "config.authentication.TokenAuthentication.authenticate"
    monkeypatch.setattr(where, raising(ImproperlyConfigured("a bug")))

    assert client.get("/api/v1/batches").status_code == 500


@pytest.mark.parametrize("sqlstate", ["08006", "53100", "53200", "53300", "57P01", "58030"])
def test_these_states_say_that_the_database_is_away(sqlstate: str) -> None:
    assert is_database_away(caused(OperationalError, sqlstate))


@pytest.mark.parametrize(
    "error",
    [
        caused(OperationalError, "40P01"),
        caused(OperationalError, "57014"),
        caused(ProgrammingError, "42P01"),
        InternalError("without a code"),
        KeyError("x"),
    ],
)
def test_a_refusal_is_no_outage(error: Exception) -> None:
    assert not is_database_away(error)


def record(error: Exception | None = None, **fields: Any) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    made = logging.LogRecord("django.request", logging.ERROR, "", 0, "Trouble", (), info)
    made.__dict__.update(fields)
    return made


def test_an_outage_writes_one_line_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("config.log_limits.time.monotonic", lambda: now[0])
    limit = OutageFilter()
    outage = [record(AWAY), record(status_code=503), record(msg={"event": "ring_lost"})]

    first = [limit.filter(one) for one in outage * 10]
    now[0] += 1.0
    second = [limit.filter(one) for one in outage * 10]

    assert (sum(first), sum(second)) == (1, 1)


def test_other_trouble_is_written_always() -> None:
    limit = OutageFilter()

    assert all(limit.filter(record(KeyError("x"), status_code=500)) for _ in range(5))


def test_the_probe_says_when_to_ask_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.health._database", lambda: "away")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "Retry-After" in answer
