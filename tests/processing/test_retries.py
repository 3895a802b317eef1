"""Failing stages: as often as allowed, as late as asked, seen by people, and retried by them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from documents.errors import (
    CorruptError,
    CrashedError,
    Kind,
    NetworkError,
    RateLimitError,
    SluiceError,
    StorageError,
    kind_of,
)
from documents.models import Batch, Document
from documents.services import arrivals, batches
from documents.services.uploads import Declaration, register
from documents.states import Status
from processing import leases
from processing.leases import MAX_RETRY_AFTER_SECONDS
from processing.models import StageAttempt, StageName, StageRun
from tests.processing.lifecycle import arrived, claim, fresh, seconds_until_run, verify
from tests.test_docs import errors, table

pytestmark = pytest.mark.django_db
CONTENT = b"The gate opens at dawn."
LADDER = [60, 300, 900, 3600, 21600]


@pytest.fixture
def document(batch: Batch) -> Document:
    document = arrived(batch, CONTENT)
    verify(document, CONTENT)
    return document


def fail_until_the_end(document: Document) -> list[float]:
    """Fail extract as often as it is tried; return the waits in between."""
    waits = []
    while StageRun.objects.filter(document=document, state="ready").exists():
        lease = claim(document, StageName.EXTRACT)
        leases.fail(lease, StorageError("Storage is away."))
        waits.append(seconds_until_run(lease))
    return waits[:-1]


@override_settings(RETRY_LADDER_SECONDS=LADDER, RETRY_JITTER=0.1)
def test_a_stage_that_always_fails_climbs_the_ladder_and_ends_where_people_see_it(
    document: Document, user: Any
) -> None:
    StageRun.objects.update(max_attempts=7)

    waits = fail_until_the_end(document)

    attempts = StageAttempt.objects.filter(run__document=document, run__stage="extract")
    # The last step of the ladder repeats.
    assert len(waits) == 6
    for wait, step in zip(waits, [*LADDER, LADDER[-1]], strict=True):
        assert 0.9 * step - 1 <= wait <= 1.1 * step
    assert [attempt.n for attempt in attempts.order_by("n")] == [1, 2, 3, 4, 5, 6, 7]
    assert set(attempts.values_list("outcome", "error_code")) == {("transient", "storage")}
    api = APIClient()
    api.force_authenticate(user)
    told = api.get(f"/api/v1/documents/{document.id}").json()
    assert told["status"] == "failed"
    error = told["error"]
    assert (error["code"], error["kind"], error["stage"]) == ("storage", "storage", "extract")
    assert (error["detail"], error["retry_at"]) == ("Storage is away.", None)
    assert told["stages"][1]["error"]["kind"] == "storage"


@override_settings(RETRY_LADDER_SECONDS=LADDER, MAX_ATTEMPTS=3)
def test_a_retry_grants_fresh_attempts_and_the_ledger_keeps_the_old_ones(
    document: Document, user: Any
) -> None:
    fail_until_the_end(document)
    old = list(StageAttempt.objects.order_by("id").values())

    batches.retry(Document.objects.filter(id=document.id), user)
    fail_until_the_end(document)

    every = list(StageAttempt.objects.order_by("id").values())
    assert every[: len(old)] == old
    assert len(every) == len(old) + 3
    assert fresh(document).status == Status.FAILED


@pytest.mark.parametrize(
    ("asked", "least", "most"), [(0, 0, 1), (100, 100, 110), (10**9, 86_400, 95_040)]
)
def test_a_service_is_never_asked_earlier_than_it_wants_but_within_a_day(
    document: Document, asked: int, least: int, most: int
) -> None:
    lease = claim(document, StageName.EXTRACT)

    leases.fail(lease, RateLimitError(retry_after_seconds=asked))

    assert least - 1 <= seconds_until_run(lease) <= most
    assert MAX_RETRY_AFTER_SECONDS == 86_400


def test_permanent_trouble_is_not_tried_again(document: Document) -> None:
    lease = claim(document, StageName.EXTRACT)

    leases.fail(lease, CorruptError("It is damaged."))

    run = StageRun.objects.get(id=lease.run_id)
    assert (run.state, run.attempt, fresh(document).status) == ("dead", 1, Status.FAILED)


def test_dead_letters_wait_for_a_human(document: Document) -> None:
    for _ in range(3):
        leases.fail(claim(document, StageName.EXTRACT), CrashedError("It crashed."))

    StageRun.objects.filter(state="ready").update(run_at="2020-01-01T00:00Z")
    leases.reap()

    run = StageRun.objects.get(document=document, stage=StageName.EXTRACT)
    assert (run.state, run.crashes) == ("dead", 3)


# --- kinds --------------------------------------------------------------------


def every_error() -> Iterator[type[SluiceError]]:
    pending: list[type[SluiceError]] = [SluiceError]
    while pending:
        branch = pending.pop()
        pending += branch.__subclasses__()
        yield branch


def test_every_error_is_of_a_kind_of_the_closed_list() -> None:
    assert {error.kind for error in every_error()} == set(Kind)
    assert {kind.value for kind in Kind} == {
        *("rate_limit", "network", "storage", "provider", "invalid", "unsupported"),
        *("encrypted", "too_large", "too_complex", "crashed", "timeout", "internal"),
    }


def test_the_documentation_sorts_every_code_under_its_kind() -> None:
    rows = [row for row in table("api.md", 3) if row[0] in set(Kind)]
    told = {code.strip(" `"): row[0] for row in rows for code in row[1].split(",")}

    assert told == {error.code: error.kind.value for error in errors()}


def test_a_stored_code_gives_its_kind_back() -> None:
    for error in errors():
        assert kind_of(error.code) == error.kind
    assert kind_of("of another version") == Kind.INTERNAL
    assert kind_of(NetworkError.code) == Kind.NETWORK


# --- whose clock --------------------------------------------------------------


@pytest.fixture(params=[timedelta(days=400), timedelta(days=-400)], ids=["ahead", "behind"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Have this process's own clock wrong by more than a year."""
    wrong: datetime = datetime.now(UTC) + request.param
    monkeypatch.setattr(timezone, "now", lambda: wrong)
    monkeypatch.setattr(time, "time", wrong.timestamp)
    return wrong


def test_a_process_with_a_wrong_clock_steals_no_lease_and_loses_none(
    document: Document, wrong_clock: datetime
) -> None:
    lease = claim(document, StageName.EXTRACT)

    leases.beat([lease])

    assert leases.reap() == 0
    assert leases.still_held([lease]) == {lease.token}
    until = StageRun.objects.get(id=lease.run_id).lease_until
    assert until is not None
    assert abs((until - wrong_clock).days) > 390


def test_a_wrong_clock_changes_no_wait(document: Document, wrong_clock: datetime) -> None:
    lease = claim(document, StageName.EXTRACT)

    leases.fail(lease, RateLimitError(retry_after_seconds=1000))

    assert 999 <= seconds_until_run(lease) <= 1101
    retry_at = fresh(document).retry_at
    assert retry_at is not None
    assert abs((retry_at - wrong_clock).days) > 390


@override_settings(UPLOAD_IDLE_SECONDS=60, UPLOAD_EXPIRY_SECONDS=3600)
def test_a_wrong_clock_gives_up_no_upload_and_keeps_none(
    batch: Batch, wrong_clock: datetime
) -> None:
    register(batch, [Declaration("a.txt", "a.txt", 5), Declaration("b.txt", "b.txt", 5)])
    # Nobody idles yet; then one has for two hours, by the clock that counts.
    early = arrivals.sweep()
    shift_back(Document.objects.get(path="b.txt"), hours=2)

    assert (early, arrivals.sweep()) == ((0, 0), (0, 1))
    assert set(Document.objects.values_list("path", "status")) == {
        ("a.txt", "awaiting"),
        ("b.txt", "expired"),
    }


def shift_back(document: Document, *, hours: int) -> None:
    assert document.upload_expires_at is not None
    Document.objects.filter(id=document.id).update(
        created_at=document.created_at - timedelta(hours=hours),
        upload_expires_at=document.upload_expires_at - timedelta(hours=hours),
    )
