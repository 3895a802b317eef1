"""`manage.py run`: everything on this machine, until Ctrl-C."""

import signal
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.local_services import urls
from config.processes import signal_when_parent_dies
from config.supervisor import Plan, Supervisor


class Command(BaseCommand):
    help = "Start services, web, workers and conductor, and stop them all on Ctrl-C."
    # The database may not be up yet; the checks run in `make check`.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--stop-with-parent",
            action="store_true",
            help="stop when the process that called this one is gone",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["stop_with_parent"]:
            signal_when_parent_dies(signal.SIGTERM)
        home = settings.SLUICE_HOME
        ours = urls(home)
        plan = Plan(
            home=home,
            host=settings.HOST,
            port=settings.PORT,
            workers=settings.WORKER_PROCESSES,
            threads=settings.WORKER_THREADS,
            # An address of our own means: start the service it belongs to.
            database_url=""
            if ours.database_url == settings.DATABASE_URL
            else settings.DATABASE_URL,
            redis_url="" if ours.redis_url == settings.REDIS_URL else settings.REDIS_URL,
            minimum_pgvector=settings.MINIMUM_PGVECTOR,
        )
        sys.exit(Supervisor(plan).run())


def _unless(given: str, ours: str) -> str:
    return "" if given == ours else given
