"""Collect static files when, and only when, their sources have changed."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def is_stale() -> bool:
    """Say whether a source was added, removed or changed since the last collection."""
    stamp = _stamp()
    return not stamp.exists() or stamp.read_text() != _fingerprint()


def collect() -> None:
    """Collect everything anew. The stamp comes last: an interrupted run is repeated."""
    fingerprint = _fingerprint()
    _stamp().unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    _stamp().write_text(fingerprint)


def _stamp() -> Path:
    return Path(settings.STATIC_ROOT) / ".collected"


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
