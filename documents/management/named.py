"""Find what a command's arguments name, or end the command with a sentence."""

from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import CommandError

from documents.models import Batch, Membership, Workspace

SHOWN = 10


def get_user(username: str) -> AbstractBaseUser:
    """Return the active user of this name."""
    model = get_user_model()
    user = model.objects.filter(**{model.USERNAME_FIELD: username}, is_active=True).first()
    if user is None:
        raise CommandError(
            f"There is no active user {username!r}. Make one: manage.py createsuperuser"
        )
    return user


def get_place(username: str | None, workspace: str | None) -> tuple[AbstractBaseUser, Workspace]:
    """Return who acts and where, from as little as is unambiguous.

    A workspace is named by its name or id; without a user its first owner acts.
    A user alone acts where the API would: in the workspace they joined first.
    """
    memberships = Membership.objects.select_related("user", "workspace").order_by(
        "created_at", "id"
    )
    if username is not None:
        memberships = memberships.filter(user=get_user(username).pk)
    if workspace is not None:
        memberships = memberships.filter(workspace=get_workspace(workspace))
    elif username is None:
        memberships = memberships.filter(workspace=_only_workspace())
    found = memberships.filter(role=Membership.Role.OWNER).first() if username is None else None
    found = found or memberships.first()
    if found is None:
        raise CommandError(_nobody(username, workspace))
    return found.user, found.workspace


def get_workspace(name_or_id: str) -> Workspace:
    """Return the workspace with this id, or the only one with this name."""
    found = list(Workspace.objects.filter(name=name_or_id)[:2])
    if not found and (workspace_id := _uuid(name_or_id)):
        found = list(Workspace.objects.filter(id=workspace_id))
    if not found:
        raise CommandError(f"There is no workspace {name_or_id!r}. {_existing()}")
    if len(found) > 1:
        raise CommandError(f"Several workspaces are called {name_or_id!r}; give an id instead.")
    return found[0]


def get_batch(batch_id: str, workspace: Workspace | None) -> Batch:
    """Return the batch with this id, in this workspace if one is given."""
    identifier = _uuid(batch_id)
    batch = Batch.objects.select_related("workspace").filter(id=identifier or UUID(int=0)).first()
    if batch is None or workspace not in (None, batch.workspace):
        raise CommandError(f"There is no batch {batch_id!r} here.")
    return batch


def _only_workspace() -> Workspace:
    found = list(Workspace.objects.all()[:2])
    if len(found) != 1:
        raise CommandError(f"Say where: --workspace NAME or --user USERNAME. {_existing()}")
    return found[0]


def _existing() -> str:
    names = [repr(name) for name in Workspace.objects.values_list("name", flat=True)[:SHOWN]]
    if not names:
        return "There is none yet: manage.py create_workspace NAME --owner USERNAME"
    return f"There are: {', '.join(names)}."


def _nobody(username: str | None, workspace: str | None) -> str:
    if username is None:
        return "Nobody is in this workspace yet; add a membership in the admin."
    if workspace is None:
        return f"{username} is in no workspace: manage.py create_workspace NAME --owner {username}"
    return f"{username} is not in the workspace {workspace!r}."


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
