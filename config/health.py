"""Is this process alive, and is the installation ready to do its job?"""

from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from config.middleware import RETRY_SECONDS
from processing.models import Worker
from processing.outcome import is_alive

log = structlog.get_logger(__name__)


def livez(request: HttpRequest) -> JsonResponse:
    """Answer as long as this process can."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 only when the web, a worker and the conductor can do their work."""
    checks = {"database": _database(), "redis": _redis()}
    if checks["database"] == "ok":
        checks |= {"worker": _alive(Worker.Kind.WORKER), "conductor": _alive(Worker.Kind.CONDUCTOR)}
    ready = all(answer == "ok" for answer in checks.values()) and len(checks) == 4
    body: dict[str, Any] = {"status": "ok" if ready else "unready", "checks": checks}
    response = JsonResponse(body, status=200 if ready else 503)
    if not ready:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        log.warning("readyz_database", error=str(error))
        return "away"
    return f"{len(pending)} migrations to run" if pending else "ok"


def _redis() -> str:
    try:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
        client.ping()
        client.close()
    except redis.RedisError as error:
        log.warning("readyz_redis", error=str(error))
        return "away"
    return "ok"


def _alive(kind: Worker.Kind) -> str:
    return "ok" if is_alive(kind) else "none"
