"""The demo account with something to look at, for a Sluice that only this machine can reach."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from config.local_services import urls
from config.start_error import StartError
from config.supervisor import is_loopback
from documents.folders import Found, walk
from documents.models import Batch, Document, Workspace
from documents.services import intake
from documents.services.accounts import create_workspace
from documents.services.delivery import Taken
from documents.states import Status

USERNAME = "demo"
KNOWN_PASSWORD = "demo"  # noqa: S105 - public on purpose; check_password_fits says where
MIN_PASSWORD = 12
WORKSPACE = "Demo"
BATCH = "Welcome to Sluice"
SAMPLES = settings.BASE_DIR / "samples"


def check_password_fits(password: str) -> None:
    """Raise StartError if others could reach an account with this password."""
    if len(password) >= MIN_PASSWORD:
        return
    own_database = urls(settings.SLUICE_HOME).database_url == settings.DATABASE_URL
    if not own_database or not is_loopback(settings.HOST):
        raise StartError(
            "The demo account is only made where nobody else can reach it: with the embedded "
            "database and a loopback HOST. Use manage.py createsuperuser, or set DEMO_PASSWORD "
            f"to at least {MIN_PASSWORD} characters."
        )


def ensure_user(password: str) -> User:
    """Return the demo user, made if need be. A password that was changed stays."""
    model = get_user_model()
    user = model.objects.filter(username=USERNAME).first()
    if user is None:
        return model.objects.create_superuser(USERNAME, password=password)
    if password != KNOWN_PASSWORD and user.check_password(KNOWN_PASSWORD):
        # Made while only this machine could reach it, which is over.
        user.set_password(password)
        user.save(update_fields=("password",))
    return user


def ensure_workspace(user: User) -> Workspace:
    """Return the workspace of the demo user, made if need be."""
    known = Workspace.objects.filter(memberships__user=user).order_by("created_at").first()
    return known or create_workspace(WORKSPACE, user)


def ensure_batch(workspace: Workspace, user: User, samples: Path) -> int:
    """Fill an empty workspace with the samples; return how many documents were sent.

    An earlier start that was ended in the middle is taken up where it was.
    """
    batch = intake.find_batch(workspace, BATCH)
    if batch is None and Batch.objects.filter(workspace=workspace).exists():
        return 0
    if batch is not None and _arrived(batch) >= (batch.expected_documents or 0):
        return 0
    if not samples.is_dir():
        return 0
    found = [entry for entry in walk(sorted(samples.iterdir())) if isinstance(entry, Found)]
    batch = batch or intake.open_batch(workspace, user, name=BATCH, expected_documents=len(found))
    outcomes = list(intake.send(batch, found))
    return sum(isinstance(outcome, Taken) and outcome.sent for outcome in outcomes)


def _arrived(batch: Batch) -> int:
    return Document.objects.filter(batch=batch).exclude(status=Status.AWAITING).count()
