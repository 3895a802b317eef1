"""Workspaces, and who works in them."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from documents.errors import InvalidError
from documents.models import Membership, Workspace

MAX_NAME = 200


@transaction.atomic
def create_workspace(name: str, owner: AbstractBaseUser) -> Workspace:
    """Make a workspace with its owner in it."""
    if not 1 <= len(name.strip()) <= MAX_NAME or "\x00" in name:
        raise InvalidError(f"A workspace name has 1 to {MAX_NAME} characters and no NUL.")
    workspace = Workspace.objects.create(name=name.strip())
    add_member(workspace, owner, Membership.Role.OWNER)
    return workspace


def add_member(
    workspace: Workspace, user: AbstractBaseUser, role: str = Membership.Role.MEMBER
) -> bool:
    """Let a person into a workspace; return False if they were in it, whatever their role."""
    _, is_new = Membership.objects.get_or_create(
        workspace=workspace, user_id=user.pk, defaults={"role": role}
    )
    return is_new


def ensure_workspace(user: AbstractBaseUser) -> Workspace | None:
    """Give a person who is in no workspace one of their own; None if they are in one."""
    if Membership.objects.filter(user_id=user.pk).exists():
        return None
    return create_workspace(user.get_username(), user)
