"""`manage.py ensure_demo`: an account to look around with; `make run` calls it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import demo
from config.environment import env
from config.start_error import StartError


class Command(BaseCommand):
    help = "Make the demo account, its workspace and a sample batch, where they are missing."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        password = env.str("DEMO_PASSWORD", demo.KNOWN_PASSWORD)
        try:
            demo.check_password_fits(password)
        except StartError as error:
            raise CommandError(str(error)) from error
        user = demo.ensure_user(password)
        sent = demo.ensure_batch(demo.ensure_workspace(user), user, demo.SAMPLES)
        self.stdout.write(f"The account {demo.USERNAME!r} is there; {sent} samples were added.")
