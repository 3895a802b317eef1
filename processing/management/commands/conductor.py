"""Run a conductor: `manage.py conductor`. Any number may run; one leads."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from processing.conductor import Conductor


class Command(BaseCommand):
    help = "Number events, ring, reap and sweep, as the leader or standing by."

    def handle(self, *args: Any, **options: Any) -> None:
        conductor = Conductor()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: conductor.stop())
        conductor.run()
