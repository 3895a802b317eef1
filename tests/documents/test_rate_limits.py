"""Calls for upload URLs: so many at once, so many in the long run, and never for want of Redis."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from config.local_services import Services
from documents import rate_limits
from documents.errors import RateLimitError
from documents.models import Batch, Document, Workspace
from documents.rate_limits import Bucket, Buckets, BucketsAwayError, take_upload_call
from documents.services.tokens import create_token, find_token
from tests.factories import make_batch, make_document, make_user
from tests.test_architecture import ROOT

pytestmark = pytest.mark.django_db
NOBODY = "redis://127.0.0.1:1/0"
# Slow enough that no test lives to see a token come back by itself.
SELDOM = 0.001
THREADS = 50


@pytest.fixture
def server(services: Services, settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, decode_responses=True)


@pytest.fixture
def buckets(server: redis.Redis) -> Buckets:
    return Buckets(server)


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def workspace(user: User) -> Workspace:
    workspace = Workspace.objects.get()
    workspace.upload_calls_burst, workspace.upload_calls_per_second = 2, SELDOM
    workspace.save()
    return workspace


@pytest.fixture
def batch(workspace: Workspace) -> Batch:
    return make_batch(workspace)


@pytest.fixture
def api(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def bucket(burst: int = 3, per_second: float = SELDOM) -> Bucket:
    return Bucket(f"test:{uuid4()}", burst, per_second)


def register(api: APIClient, batch: Batch) -> Any:
    path = f"{uuid4()}.txt"
    body = {"documents": [{"client_key": path, "path": path, "size": 5}]}
    return api.post(f"/api/v1/batches/{batch.id}/uploads", body, format="json")


def is_refused(workspace: Workspace, user: User | AnonymousUser) -> bool:
    try:
        take_upload_call(workspace, user, None)
    except RateLimitError:
        return True
    return False


def test_a_bucket_gives_its_burst_and_then_says_how_long_to_wait(buckets: Buckets) -> None:
    full = bucket(burst=3, per_second=0.5)

    waits = [buckets.take(full) for _ in range(4)]

    assert waits[:3] == [0, 0, 0]
    assert 1 < waits[3] <= 2


def test_tokens_come_back_with_time_up_to_the_burst(buckets: Buckets, server: redis.Redis) -> None:
    used = bucket(burst=3, per_second=1)
    taken = [buckets.take(used) for _ in range(3)]
    server.hincrbyfloat(used.key, "at", -2.0)
    after_two = [buckets.take(used) == 0 for _ in range(3)]
    server.hincrbyfloat(used.key, "at", -1000.0)

    after_long = [buckets.take(used) == 0 for _ in range(4)]

    assert taken == [0, 0, 0]
    assert after_two == [True, True, False]
    assert after_long == [True, True, True, False]


def test_a_clock_that_was_set_back_takes_no_tokens(buckets: Buckets, server: redis.Redis) -> None:
    used = bucket(burst=3)
    buckets.take(used)
    server.hincrbyfloat(used.key, "at", 3600.0)

    assert [buckets.take(used) == 0 for _ in range(3)] == [True, True, False]


def test_a_call_takes_from_both_buckets_or_from_neither(
    buckets: Buckets, server: redis.Redis
) -> None:
    wide, narrow = bucket(burst=9), bucket(burst=1)
    buckets.take(wide, narrow)

    assert buckets.take(wide, narrow) > 0

    assert float(server.hget(wide.key, "tokens") or 0) == pytest.approx(8, abs=0.1)
    assert buckets.take(wide, bucket(burst=1)) == 0


def test_a_bucket_that_is_full_again_is_not_kept(buckets: Buckets, server: redis.Redis) -> None:
    used = bucket(burst=4, per_second=2)

    buckets.take(used)

    assert 2_000 < server.pttl(used.key) <= 3_000


def test_many_threads_take_exactly_the_burst(buckets: Buckets) -> None:
    shared = bucket(burst=100)
    together = threading.Barrier(THREADS)

    def take(_: int) -> int:
        together.wait()
        return sum(buckets.take(shared) == 0 for _ in range(4))

    with ThreadPoolExecutor(THREADS) as pool:
        taken = sum(pool.map(take, range(THREADS)))

    assert taken == 100


def test_a_server_that_forgot_the_script_is_told_it_again(
    buckets: Buckets, server: redis.Redis
) -> None:
    used = bucket(burst=2)
    buckets.take(used)
    server.script_flush()

    assert [buckets.take(used) == 0 for _ in range(2)] == [True, False]


def test_a_workspace_has_its_own_numbers_and_a_caller_a_share(
    workspace: Workspace, user: User, settings: Settings
) -> None:
    workspace.upload_calls_burst = 4
    token = find_token(create_token(user, "script"))
    other = make_user(workspace=workspace)

    for _ in range(2):
        take_upload_call(workspace, user, None)
    with pytest.raises(RateLimitError):
        take_upload_call(workspace, user, None)
    take_upload_call(workspace, user, token)
    take_upload_call(workspace, other, None)
    with pytest.raises(RateLimitError):
        take_upload_call(workspace, other, None)


def test_workspaces_do_not_take_from_each_other(workspace: Workspace) -> None:
    other = Workspace.objects.create(name="Other", upload_calls_burst=1)
    first, second = make_user(workspace=workspace), make_user(workspace=workspace)
    for user in (first, second):
        take_upload_call(workspace, user, None)

    assert is_refused(workspace, make_user(workspace=workspace))
    assert not is_refused(other, make_user(workspace=other))


@pytest.mark.parametrize("numbers", [{"upload_calls_burst": 0}, {"upload_calls_per_second": 0.0}])
def test_a_bucket_that_never_gives_cannot_be_written(numbers: dict[str, float]) -> None:
    with pytest.raises(IntegrityError):
        Workspace.objects.create(name="Shut", **numbers)


def test_too_many_calls_are_told_when_to_come_back(api: APIClient, batch: Batch) -> None:
    answers = [register(api, batch) for _ in range(2)]

    refused = answers[-1]
    body = refused.json()
    assert [answer.status_code for answer in answers] == [201, 429]
    assert refused["Content-Type"] == "application/problem+json"
    assert (body["code"], body["status"]) == ("rate_limit", 429)
    assert refused["Retry-After"] == str(body["retry_after"])
    # The caller's bucket fills half as fast as the workspace's.
    assert 1990 <= body["retry_after"] <= 2000
    assert f"{body['retry_after']} s" in body["detail"]
    assert Document.objects.count() == 1


def test_a_drop_of_twenty_thousand_documents_never_meets_the_defaults(
    user: User, server: redis.Redis
) -> None:
    workspace = Workspace.objects.get()
    calls = 2 * 20_000 // 500

    refused = [is_refused(workspace, user) for _ in range(calls)]

    assert refused == [False] * calls
    # Each was counted: nothing is met where nobody counts.
    assert server.exists(f"{rate_limits.PREFIX}:workspace:{workspace.pk}")


def test_calls_go_on_while_redis_is_away_and_one_line_tells_of_it(
    api: APIClient, batch: Batch, settings: Settings
) -> None:
    settings.REDIS_URL = NOBODY
    rate_limits._at.cache_clear()

    with capture_logs() as logs:
        answers = [register(api, batch).status_code for _ in range(5)]

    assert answers == [201] * 5
    told = [line for line in logs if line["event"] == "limits_unknown"]
    assert [line["log_level"] for line in told] == ["warning"]


def test_a_redis_that_is_away_is_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = Buckets(redis.Redis.from_url(NOBODY))
    now = [1000.0]
    monkeypatch.setattr("documents.rate_limits.time.monotonic", lambda: now[0])
    asked = []

    def refuse(*args: Any) -> Any:
        asked.append(now[0])
        raise redis.ConnectionError("refused")

    monkeypatch.setattr(buckets.client, "register_script", lambda script: refuse)
    with capture_logs() as logs:
        for seconds in (0, 1, 5, 61):
            now[0] = 1000.0 + seconds
            with pytest.raises(BucketsAwayError):
                buckets.take(bucket())

    assert asked == [1000.0, 1005.0, 1061.0]
    assert len(logs) == 2


def test_without_redis_a_workspace_is_held_to_so_many_documents_a_minute(
    api: APIClient,
    batch: Batch,
    settings: Settings,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.REDIS_URL, settings.UPLOAD_DOCUMENTS_PER_MINUTE = NOBODY, 3
    for _ in range(2):
        make_document(batch)
    make_document()
    accepted = register(api, batch)

    refused = register(api, batch)

    assert (accepted.status_code, refused.status_code) == (201, 429)
    assert 50 <= refused.json()["retry_after"] <= 60
    with django_assert_num_queries(2), pytest.raises(RateLimitError):
        take_upload_call(batch.workspace, AnonymousUser(), None)


def test_what_was_registered_more_than_a_minute_ago_counts_no_more(
    workspace: Workspace, settings: Settings
) -> None:
    settings.REDIS_URL, settings.UPLOAD_DOCUMENTS_PER_MINUTE = NOBODY, 1
    document = make_document(make_batch(workspace))
    at_once = is_refused(workspace, AnonymousUser())

    Document.objects.update(created_at=document.created_at - timedelta(minutes=1))

    assert (at_once, is_refused(workspace, AnonymousUser())) == (True, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UPLOAD_CALLS_BURST", "0"),
        ("UPLOAD_CALLS_PER_SECOND", "0"),
        ("UPLOAD_CALLS_CALLER_SHARE", "1.5"),
        ("UPLOAD_DOCUMENTS_PER_MINUTE", "-1"),
    ],
)
def test_numbers_that_make_no_sense_stop_the_start(name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        env={**os.environ, name: value},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert name in done.stderr
