"""Serve local storage beside Django, without passing bytes through it."""

from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

from documents.storage.http import StorageApp


class StorageMount:
    """Send /storage/ to the storage application when storage is local, the rest to Django."""

    def __init__(self, application: ASGIHandler) -> None:
        self._application = application
        self._storage = StorageApp() if settings.STORAGE_BACKEND == "local" else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._storage is not None and scope["path"].startswith("/storage/"):
            await self._storage(scope, receive, send)
        else:
            await self._application(scope, receive, send)
