"""Where the bytes are. `get_storage()` is the one way to them.

`STORAGE_BACKEND` chooses: `local` keeps objects under `STORAGE_ROOT` and serves its
own signed URLs (`documents.storage.http.StorageApp`, mounted under /storage/); `s3`
keeps them in a bucket of an S3-compatible store, which serves its own.
"""

from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from documents.storage.interface import Storage
from documents.storage.local import LocalStorage

__all__ = ["LocalStorage", "Storage", "get_local_storage", "get_storage"]


def get_storage() -> Storage:
    """Return the configured store; the same object until the settings change."""
    if settings.STORAGE_BACKEND == "local":
        return get_local_storage()
    if settings.STORAGE_BACKEND == "s3":
        return _bucket(**settings.S3)
    raise ImproperlyConfigured(
        f"STORAGE_BACKEND {settings.STORAGE_BACKEND!r} is neither 'local' nor 's3'."
    )


def get_local_storage() -> LocalStorage:
    """Return the local store, for those who serve its URLs."""
    return _at(Path(settings.STORAGE_ROOT))


@cache
def _at(root: Path) -> LocalStorage:
    return LocalStorage(root)


def _bucket(**options: Any) -> Storage:
    # boto3 takes a quarter of a second and 20 MB to load: only who uses it pays.
    from documents.storage.s3 import bucket
    from documents.storage.s3_client import S3Options

    return bucket(S3Options(**options))
