"""Where the bytes are. `get_storage()` is the one way to them.

`STORAGE_BACKEND` chooses: `local` keeps objects under `STORAGE_ROOT` and serves its
own signed URLs (`documents.storage.http.StorageApp`, mounted under /storage/).
"""

from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from documents.storage.interface import Storage
from documents.storage.local import LocalStorage

__all__ = ["LocalStorage", "Storage", "get_local_storage", "get_storage"]


def get_storage() -> Storage:
    """Return the configured store; the same object until the settings change."""
    if settings.STORAGE_BACKEND != "local":
        raise ImproperlyConfigured(f"STORAGE_BACKEND {settings.STORAGE_BACKEND!r} is not 'local'.")
    return get_local_storage()


def get_local_storage() -> LocalStorage:
    """Return the local store, for those who serve its URLs."""
    return _at(Path(settings.STORAGE_ROOT))


@cache
def _at(root: Path) -> LocalStorage:
    return LocalStorage(root)
