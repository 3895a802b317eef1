"""`manage.py create_workspace`: a place for a team."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from documents.errors import InvalidError
from documents.management.named import get_user
from documents.services.accounts import add_member, create_workspace


class Command(BaseCommand):
    help = "Make a workspace with an owner and, if you like, members; prints its id."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", required=True, metavar="USERNAME")
        parser.add_argument("--member", action="append", default=[], metavar="USERNAME")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = get_user(options["owner"])
        members = [get_user(username) for username in options["member"]]
        try:
            with transaction.atomic():
                workspace = create_workspace(options["name"], owner)
                for member in members:
                    add_member(workspace, member)
        except InvalidError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(str(workspace.id))
