"""`manage.py create_token`: a token for the API, shown once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from documents.management.named import get_user
from documents.services.accounts import ensure_workspace
from documents.services.tokens import create_token

MAX_NAME = 100


class Command(BaseCommand):
    help = "Print a new API token for a user. It cannot be shown again."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="command line", help="what the token is for")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user(options["username"])
        workspace = ensure_workspace(user)
        if workspace is not None:
            self.stderr.write(
                f"{options['username']} was in no workspace and now owns {workspace.name!r}."
            )
        self.stdout.write(create_token(user, options["name"][:MAX_NAME]))
