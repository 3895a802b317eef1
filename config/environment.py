"""Strict readers: an unreadable variable stops the start and names itself."""

import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate
from psycopg.conninfo import conninfo_to_dict

env = Env(eager=True)
AT_LEAST_ONE = validate.Range(min=1)
POSITIVE = validate.Range(min=0, min_inclusive=False)
OCR_ENGINES = validate.OneOf(["auto", "tesseract", "rapidocr", "off"])
SHARE = validate.Range(min=0, min_inclusive=False, max=1)


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


def django_database(url: str, *, pool_size: int, stalled_seconds: int) -> dict[str, Any]:
    """Return Django's DATABASES entry for a libpq URL, Unix sockets included.

    The pool serves threaded web processes; workers and commands hold their own
    few connections. A pooled connection is checked before use, so that a
    database restart costs a reconnect and not a failed request. A process that stands
    still in a transaction, such as one on a frozen machine, is thrown out after
    `stalled_seconds`: nobody else could have what it locked.
    """
    given: dict[str, Any] = dict(conninfo_to_dict(url))
    limit = f"-c idle_in_transaction_session_timeout={stalled_seconds}s"
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "application_name": "sluice",
        # A machine that is gone says nothing: notice it in seconds and not in hours.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "options": f"{limit} {given.pop('options', '')}".strip(),
    }
    if pool_size:
        options["pool"] = {
            "min_size": 1,
            "max_size": pool_size,
            "timeout": 4,
            # The pool's waits between tries double: give up early, and the next request tries.
            "reconnect_timeout": 2,
        }
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST"}
    entry = {theirs: given.pop(ours, "") for ours, theirs in names.items()}
    return {
        "ENGINE": "config.postgres",
        **entry,
        "PORT": str(given.pop("port", "")),
        "OPTIONS": {**options, **given},
        "CONN_MAX_AGE": 0 if pool_size else None,
        # A pooled connection is checked as it is handed out: config/postgres.
        "CONN_HEALTH_CHECKS": not pool_size,
    }


def require_bucket(options: Mapping[str, Any]) -> None:
    """Raise ImproperlyConfigured unless the S3 settings can name a bucket and a caller."""
    if not options["bucket"]:
        raise ImproperlyConfigured("STORAGE_BACKEND is s3, and S3_BUCKET is not set.")
    if bool(options["access_key_id"]) != bool(options["secret_access_key"]):
        raise ImproperlyConfigured("Set both S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or none.")
    if options["addressing_style"] not in {"auto", "path", "virtual"}:
        raise ImproperlyConfigured("S3_ADDRESSING_STYLE is auto, path or virtual.")


def s3_origins(options: Mapping[str, Any]) -> list[str]:
    """Return the origins that signed URLs may have, with the bucket in the name and without."""
    parts = urlsplit(options["public_endpoint_url"] or options["endpoint_url"])
    hosts = [parts.netloc]
    if options["addressing_style"] != "path":
        hosts.append(f"{options['bucket']}.{parts.netloc}")
    return [f"{parts.scheme}://{host}" for host in hosts]


def app_origins(
    hosts: Sequence[str], trusted: Sequence[str], *, https: bool, port: int
) -> list[str]:
    """Return the origins under which browsers open Sluice, as far as the settings name them."""
    if trusted:
        return list(trusted)
    named = [host for host in hosts if "*" not in host and not host.startswith(".")]
    return [f"https://{host}" if https else f"http://{host}:{port}" for host in named]
