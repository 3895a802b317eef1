"""Run a management command; what a person can put right is a sentence, not a traceback."""

import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from environs.exceptions import EnvError


def main(arguments: list[str]) -> None:
    """Run the command that the arguments name."""
    try:
        execute_from_command_line(arguments)
    except (ImproperlyConfigured, EnvError) as error:
        sys.exit(f"The settings cannot be used: {error}")
    except Exception as error:
        sentence = _unreachable(error)
        if sentence is None:
            raise
        sys.exit(sentence)


def _unreachable(error: Exception) -> str | None:
    """Return a sentence if the database cannot be reached, None for every other error."""
    from django.conf import settings

    from documents.outages import is_database_away

    # A deadlock is no absence: whether a connection is open says nothing, commands close theirs.
    if not is_database_away(error):
        return None
    from config.local_services import urls

    reason = str(error).strip().splitlines()[-1]
    if getattr(error.__cause__, "sqlstate", None) is not None:
        # It answers, and cannot: it is full, has no connection left, or is just starting.
        return f"The database cannot be used at the moment: {reason}"
    if urls(settings.SLUICE_HOME).database_url == settings.DATABASE_URL:
        return "Sluice is not running: start it with `make run`."
    return f"The database at DATABASE_URL cannot be reached: {reason}"
