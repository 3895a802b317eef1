"""The commands that make accounts, and how every command ends when Sluice is not running."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from pytest_django import Settings

from config import commandline
from config.local_services import urls
from documents.models import ApiToken, Batch, Document, Membership, Workspace
from documents.services import batches
from documents.services.tokens import find_token
from tests.factories import make_user
from tests.stack import ROOT, plain_environment


def call(name: str, *arguments: str) -> str:
    output = StringIO()
    call_command(name, *arguments, stdout=output, stderr=StringIO())
    return output.getvalue().strip()


@pytest.fixture
def own_database(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Settings as `make run` has them: nobody else can reach anything."""
    settings.DATABASE_URL = urls(settings.SLUICE_HOME).database_url
    settings.HOST = "127.0.0.1"
    monkeypatch.delenv("DEMO_PASSWORD", raising=False)


@pytest.mark.django_db
def test_token_is_printed_and_opens_the_api_as_its_user() -> None:
    user = make_user("ann")

    token = call("create_token", "ann", "--name", "backup script")

    found = find_token(token)
    assert found is not None
    assert (found.user, found.name) == (user, "backup script")
    assert token not in ApiToken.objects.values_list("digest", flat=True)


@pytest.mark.django_db
def test_token_of_a_newcomer_comes_with_a_workspace() -> None:
    user = User.objects.create_user("ann")

    call("create_token", "ann")
    call("create_token", "ann")

    assert [m.workspace.name for m in Membership.objects.filter(user=user)] == ["ann"]


@pytest.mark.django_db
@pytest.mark.parametrize("username", ["nobody", "gone"])
def test_token_for_nobody_is_refused(username: str) -> None:
    make_user("gone", is_active=False)

    with pytest.raises(CommandError, match=f"There is no active user '{username}'"):
        call("create_token", username)


@pytest.mark.django_db
def test_workspace_is_made_with_owner_and_members() -> None:
    for name in ("ann", "bob", "eve"):
        make_user(name)

    identifier = call("create_workspace", "Team", "--owner", "ann", "--member", "bob")

    roles = Membership.objects.filter(workspace__id=identifier).values_list(
        "user__username", "role"
    )
    assert dict(roles) == {"ann": "owner", "bob": "member"}


@pytest.mark.django_db
def test_workspace_without_a_name_leaves_nothing() -> None:
    make_user("ann")
    before = Workspace.objects.count()

    with pytest.raises(CommandError, match="1 to 200 characters"):
        call("create_workspace", " ", "--owner", "ann")

    assert Workspace.objects.count() == before


@pytest.mark.django_db
def test_demo_is_made_once_and_filled_with_the_samples(own_database: None) -> None:
    call("ensure_demo")
    call("ensure_demo")

    user = User.objects.get(username="demo")
    assert user.is_staff
    assert user.check_password("demo")
    batch = Batch.objects.get(workspace__memberships__user=user)
    assert batch.name == "Welcome to Sluice"
    n = Document.objects.filter(batch=batch, status="uploaded").count()
    assert n == batch.expected_documents
    assert n > 0


@pytest.mark.django_db
def test_demo_that_was_interrupted_is_taken_up(
    own_database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("documents.services.arrivals.complete", lambda batch, ids: ([], []))
        call("ensure_demo")
    assert not Document.objects.filter(status="uploaded").exists()

    call("ensure_demo")

    assert not Document.objects.filter(status="awaiting").exists()


@pytest.mark.django_db
def test_demo_batch_that_was_cancelled_does_not_come_back(own_database: None) -> None:
    call("ensure_demo")
    batches.cancel_batch(Batch.objects.get(), User.objects.get(username="demo"))

    call("ensure_demo")

    assert Batch.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("reachable", ["HOST", "DATABASE_URL"])
def test_demo_with_a_known_password_is_refused_where_others_can_reach_it(
    own_database: None, settings: Settings, reachable: str
) -> None:
    others = {"HOST": "0.0.0.0", "DATABASE_URL": "postgresql://sluice@db.example/sluice"}
    setattr(settings, reachable, others[reachable])

    with pytest.raises(CommandError, match="only made where nobody else can reach it"):
        call("ensure_demo")

    assert not User.objects.filter(username="demo").exists()


@pytest.mark.django_db
def test_known_password_ends_when_others_can_reach_the_demo(
    own_database: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("ensure_demo")
    settings.HOST = "0.0.0.0"
    monkeypatch.setenv("DEMO_PASSWORD", "long-enough-to-keep")

    call("ensure_demo")

    user = User.objects.get(username="demo")
    assert user.check_password("long-enough-to-keep")


def test_command_without_a_running_sluice_ends_with_one_sentence(home: Path) -> None:
    done = manage(home, "ingest", ".")

    assert done.returncode == 1
    assert done.stderr == "Sluice is not running: start it with `make run`.\n"


def test_a_deadlock_is_not_told_as_a_database_that_is_away() -> None:
    deadlock = OperationalError("deadlock detected")
    deadlock.__cause__ = psycopg.errors.DeadlockDetected()

    assert commandline._unreachable(deadlock) is None


def test_a_database_without_room_is_not_told_as_one_that_does_not_run() -> None:
    full = OperationalError("could not extend file: No space left on device")
    full.__cause__ = psycopg.errors.DiskFull()

    assert commandline._unreachable(full) == (
        "The database cannot be used at the moment: could not extend file: No space left on device"
    )


def test_command_names_a_database_that_cannot_be_reached(home: Path) -> None:
    url = "postgresql://sluice@127.0.0.1:1/sluice"
    done = manage(home, "create_token", "ann", DATABASE_URL=url)

    assert done.returncode == 1
    assert done.stderr.startswith("The database at DATABASE_URL cannot be reached: ")
    assert done.stderr.count("\n") == 1


def test_setting_that_cannot_be_read_is_named(home: Path) -> None:
    done = manage(home, "create_token", "ann", PORT="eighty")

    assert done.returncode == 1
    assert done.stderr.startswith("The settings cannot be used: ")
    assert '"PORT"' in done.stderr


def manage(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = plain_environment()
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=inherited | {"SLUICE_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
