"""Strict readers: an unreadable variable stops the start and names itself."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import Env
from psycopg.conninfo import conninfo_to_dict

env = Env(eager=True)


def secret_key(home: Path, *, debug: bool, embedded: bool) -> str:
    """Return SECRET_KEY, or the one kept under `home` when everything is embedded.

    A made key is stored, because signed URLs and sessions must survive a
    restart. An installation with services of its own must bring its own key.
    """
    given = env.str("SECRET_KEY", "")
    if given:
        return given
    if not embedded and not debug:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Set it to at least 50 random characters, "
            "the same for every web, worker and conductor process."
        )
    path = home / "secret-key"
    home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(50))
    return path.read_text()


def _write_once(path: Path, text: str) -> None:
    """Write a private file whole, or leave the one that somebody else made first."""
    descriptor, written = tempfile.mkstemp(dir=path.parent)  # Only the owner may read it.
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    # A link appears with its content; a file opened by its name would be seen empty.
    with suppress(FileExistsError):
        os.link(written, path)
    os.unlink(written)


def django_database(url: str, *, pool_size: int) -> dict[str, Any]:
    """Return Django's DATABASES entry for a libpq URL, Unix sockets included.

    The pool serves threaded web processes; workers and commands hold their own
    few connections. A pooled connection is checked before use, so that a
    database restart costs a reconnect and not a failed request.
    """
    given: dict[str, Any] = dict(conninfo_to_dict(url))
    options: dict[str, Any] = {"connect_timeout": 5, "application_name": "sluice"}
    if pool_size:
        options["pool"] = {
            "min_size": 1,
            "max_size": pool_size,
            "timeout": 5,
        }
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST"}
    entry = {theirs: given.pop(ours, "") for ours, theirs in names.items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **entry,
        "PORT": str(given.pop("port", "")),
        "OPTIONS": {**options, **given},
        "CONN_MAX_AGE": 0 if pool_size else None,
        # Of a pooled connection too: Django hands this on to the pool.
        "CONN_HEALTH_CHECKS": True,
    }
