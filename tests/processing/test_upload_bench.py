"""The upload bench: what it measures, and that nothing of it stays."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from pytest_django import Settings

from documents.models import Document, Event, Stream, Workspace
from processing.benchmarks.caller import Caller, CallError
from processing.benchmarks.upload_server import served
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_bench_measures_each_part_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_ROOT = tmp_path
    out = StringIO()

    call_command(
        *("bench", "upload", "--calls=2", "--completes=3", "--uploaders=4", "--documents=2"),
        *("--head-ms=150", "--json"),
        stdout=out,
    )

    (measured,) = json.loads(out.getvalue().splitlines()[-1])["runs"]
    run = measured["figures"]
    assert measured["errors"] == {}
    assert (run["drop acknowledged"], run["drop errors"]) == (8, 0)
    assert run["complete 1 p50 ms"] > 150
    assert 0 < run["presign 500 p50 ms"] <= run["presign 500 p95 ms"] <= run["presign 500 max ms"]
    assert [model.objects.count() for model in (Document, Event, Stream, User, Workspace)] == [
        0
    ] * 5
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size] == []


def test_a_refused_call_is_an_error_and_no_figure() -> None:
    make_user()

    with served(0) as url, pytest.raises(CallError, match="401"):
        Caller(url, "nobody's").post("batches", {})
