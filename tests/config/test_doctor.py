"""`manage.py doctor`: what is wrong is named, and what is well is not."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from config import doctor
from config.doctor import Level
from documents import faults
from documents.storage.local import LocalStorage
from processing.models import Worker
from tests.factories import make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def everything_runs() -> None:
    """A worker and a conductor that leads, both seen just now."""
    # The model may take long to load, and these do not beat meanwhile.
    now = timezone.now() + timedelta(minutes=10)
    for kind in Worker.Kind:
        Worker.objects.create(
            id=make_workspace().id,
            kind=kind,
            host="here",
            pid=1,
            version="1",
            is_leader=True,
            started_at=now,
            seen_at=now,
        )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the checks that take seconds; a test of their own has them."""
    slow = (doctor._model, doctor._sandbox)
    monkeypatch.setattr(doctor, "CHECKS", [c for c in doctor.CHECKS if c[1] not in slow])


def look() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine()}


def test_well_installation_fails_nothing(everything_runs: None) -> None:
    failed = [finding for finding in look().values() if finding.level == Level.FAIL]

    assert failed == []


def test_command_tells_each_check_as_json(everything_runs: None, quick: None) -> None:
    output = StringIO()
    call_command("doctor", json=True, stdout=output)

    answer = json.loads(output.getvalue())
    assert answer["ok"] is True
    assert {check["name"] for check in answer["checks"]} >= {"Database", "Redis", "Storage"}
    assert set(answer["checks"][0]) == {"name", "level", "detail", "advice"}


def test_command_ends_with_1_and_says_what_helps(quick: None) -> None:
    output = StringIO()

    with pytest.raises(SystemExit) as end:
        call_command("doctor", stdout=output)

    assert end.value.code == 1
    assert "fail  Workers" in output.getvalue()
    assert "No document is processed until one runs: make run." in output.getvalue()


def test_stopped_worker_is_not_alive(everything_runs: None, quick: None) -> None:
    Worker.objects.update(stopped_at=timezone.now())

    assert look()["Workers"].level == Level.FAIL
    assert look()["Conductor"].level == Level.FAIL


def test_redis_that_is_away_is_named(quick: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    finding = look()["Redis"]

    assert finding.level == Level.FAIL
    assert "refused" in finding.detail
    assert finding.advice


def test_database_that_is_away_is_told_once(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("connection failed: Connection refused\n\tIs it running?")

    monkeypatch.setattr(connection, "cursor", refuse)
    found = look()

    assert found["Database"].level == Level.FAIL
    assert {found[name].level for name in ("pgvector", "Migrations", "Workers")} == {Level.WARN}


def test_old_pgvector_is_refused(quick: None, settings: Settings) -> None:
    settings.DATABASE_URL = _own_url()
    settings.MINIMUM_PGVECTOR = (99, 0, 0)

    finding = look()["pgvector"]

    assert finding.level == Level.FAIL
    assert "needs 99.0.0 or newer" in finding.detail


def test_storage_that_gives_other_bytes_back_is_refused(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = LocalStorage.put

    def corrupt(self: LocalStorage, key: str, content: bytes, content_type: str) -> Any:
        return put(self, key, content[::-1], content_type)

    monkeypatch.setattr(LocalStorage, "put", corrupt)

    assert look()["Storage"].detail == "what is read is not what was stored"


def test_storage_that_cannot_be_written_is_named(
    quick: None, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings.STORAGE_ROOT = tmp_path / "file"

    assert look()["Storage"].level == Level.FAIL


def test_storage_is_left_as_it_was(quick: None, settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_ROOT = tmp_path

    assert look()["Storage"].level == Level.OK
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({"EMBEDDED": False, "SECRET_KEY": "short", "HTTPS": True}, Level.FAIL),
        ({"EMBEDDED": False, "SECRET_KEY": "x" * 50, "HTTPS": True}, Level.OK),
        ({"EMBEDDED": False, "SECRET_KEY": "x" * 50, "HTTPS": False}, Level.WARN),
        ({"DEBUG": True, "HOST": "0.0.0.0"}, Level.FAIL),
        ({"ALLOWED_HOSTS": ["*"]}, Level.WARN),
        ({}, Level.OK),
    ],
)
def test_unsafe_settings_are_named(
    settings: Settings, changes: dict[str, Any], level: Level, quick: None
) -> None:
    settings.EMBEDDED, settings.HOST, settings.DEBUG = True, "127.0.0.1", False
    settings.ALLOWED_HOSTS = ["localhost"]
    for name, value in changes.items():
        setattr(settings, name, value)

    assert look()["Settings"].level == level


def test_armed_failure_tests_are_named(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_folder", "/anywhere")

    assert look()["Settings"].level == Level.FAIL


def test_full_disk_is_told_before_it_hurts(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = []
    for free in (100 * 1024**3, 2 * 1024**3, 1024**2):
        monkeypatch.setattr(doctor, "free_bytes", lambda path, free=free: free)
        levels.append(look()["Disk"].level)

    assert levels == [Level.OK, Level.WARN, Level.FAIL]


def _own_url() -> str:
    """Return the URL of the database the test itself uses."""
    given = connection.settings_dict
    return f"postgresql://{given['USER']}@/{given['NAME']}?host={given['HOST']}"


def test_doctor_says_which_engine_reads_scans_and_in_what(
    everything_runs: None, quick: None, settings: Settings
) -> None:
    found = look()["Text recognition"]

    assert found.level == Level.OK
    assert found.detail.startswith("tesseract ")
    assert found.detail.endswith(", eng")


@pytest.mark.parametrize(
    ("name", "value", "level", "detail"),
    [
        ("OCR_LANGUAGES", ["eng", "tlh"], Level.WARN, "Tesseract has no tlh, only "),
        ("OCR_ENGINE", "rapidocr", Level.INFO, "RapidOCR"),
        ("OCR_ENGINE", "off", Level.INFO, "off"),
    ],
)
def test_doctor_says_what_recognition_lacks(
    everything_runs: None,
    quick: None,
    settings: Settings,
    name: str,
    value: object,
    level: Level,
    detail: str,
) -> None:
    setattr(settings, name, value)

    found = look()["Text recognition"]

    assert found.level == level
    assert found.detail.startswith(detail)


def test_doctor_fails_an_engine_that_is_missing(
    everything_runs: None, quick: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OCR_ENGINE = "tesseract"
    monkeypatch.setattr("shutil.which", lambda name: None)

    assert look()["Text recognition"].level == Level.FAIL
