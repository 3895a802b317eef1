"""How often a workspace, and within it one caller, may ask for upload URLs.

A bucket holds `burst` tokens and gets `per_second` back; a call takes one from its
workspace's bucket and one from its caller's, or from neither. Buckets are in Redis, which
may be lost like everything there: it is then asked again every RETRY_SECONDS, and
meanwhile a workspace is held to so many new documents a minute, counted in Postgres.
"""

import math
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from redis.backoff import NoBackoff
from redis.retry import Retry

from documents import clock
from documents.errors import RateLimitError
from documents.models import ApiToken, Document, Workspace

# One script is one step for everybody, by one clock. It answers with the milliseconds to wait.
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local left, wait = {}, 0
for i, key in ipairs(KEYS) do
  local burst, per_second = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local held = redis.call('HMGET', key, 'tokens', 'at')
  local since = math.max(0, now - (tonumber(held[2]) or now))
  left[i] = math.min(burst, (tonumber(held[1]) or burst) + since * per_second)
  if left[i] < 1 then
    wait = math.max(wait, (1 - left[i]) / per_second)
  end
end
if wait > 0 then
  return math.ceil(wait * 1000)
end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'tokens', left[i] - 1, 'at', now)
  -- A bucket that would be full again need not be kept.
  redis.call('PEXPIRE', key, math.ceil(1000 * ARGV[2 * i - 1] / ARGV[2 * i]) + 1000)
end
return 0
"""
User = AbstractBaseUser | AnonymousUser
PREFIX = "sluice:limit"
# A Redis that hangs costs one call its patience, and not each of them.
TIMEOUT_SECONDS = 0.5
RETRY_SECONDS = 5.0
WARN_SECONDS = 60.0
MINUTE = timedelta(minutes=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many calls at once, and so many a second in the long run."""

    key: str
    burst: int
    per_second: float


class BucketsAwayError(Exception):
    """Redis does not answer, or did not a moment ago."""


@dataclass(slots=True)
class Buckets:
    """The buckets of one Redis; any number of threads and processes may share them."""

    client: redis.Redis
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _silent_until: float = -math.inf
    _warn_at: float = -math.inf

    def take(self, *buckets: Bucket) -> float:
        """Take a token of each and return 0, or take none and return the seconds to wait.

        Raises BucketsAwayError.
        """
        if time.monotonic() < self._silent_until:
            raise BucketsAwayError
        keys = [bucket.key for bucket in buckets]
        values = [value for bucket in buckets for value in (bucket.burst, bucket.per_second)]
        try:
            # Sends the hash of the script, and all of it where the server has forgotten it.
            answer: Any = self.client.register_script(TAKE)(keys, values)
        except redis.RedisError as error:
            self._silent_until = time.monotonic() + RETRY_SECONDS
            self._warn(error)
            raise BucketsAwayError from error
        return int(answer) / 1000

    def _warn(self, error: redis.RedisError) -> None:
        with self._lock:
            if time.monotonic() < self._warn_at:
                return
            self._warn_at = time.monotonic() + WARN_SECONDS
        log.warning("limits_unknown", error=str(error))


def take_upload_call(workspace: Workspace, user: User, credential: object) -> None:
    """Count one call for upload URLs, or raise RateLimitError with when to come back.

    An API token is a caller of its own; a session counts as its user, wherever they sign in.
    """
    burst = workspace.upload_calls_burst or settings.UPLOAD_CALLS_BURST
    per_second = workspace.upload_calls_per_second or settings.UPLOAD_CALLS_PER_SECOND
    caller = f"user:{user.pk}"
    if isinstance(credential, ApiToken):
        caller = f"token:{credential.pk}"
    share = settings.UPLOAD_CALLS_CALLER_SHARE
    try:
        seconds = get_buckets().take(
            Bucket(f"{PREFIX}:workspace:{workspace.pk}", burst, per_second),
            Bucket(f"{PREFIX}:{caller}", max(1, int(burst * share)), per_second * share),
        )
    except BucketsAwayError:
        seconds = _wait_by_count(workspace)
    if seconds > 0:
        # Never zero: that would say to come back at once.
        whole = math.ceil(seconds)
        raise RateLimitError(
            f"Too many upload calls just now. Come back in {whole} s.",
            retry_after_seconds=whole,
            retry_after=whole,
        )


def get_buckets() -> Buckets:
    """Return the buckets of the configured Redis, one connection pool a process."""
    return _at(settings.REDIS_URL)


@cache
def _at(url: str) -> Buckets:
    client = redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        # Once more at once, because the server may have started anew; by default it is seconds.
        retry=Retry(NoBackoff(), 1),
    )
    return Buckets(client)


def _wait_by_count(workspace: Workspace) -> float:
    """Return the seconds until the workspace has registered few enough in the last minute."""
    now, most = clock.now(), settings.UPLOAD_DOCUMENTS_PER_MINUTE
    # Index document_recent; it reads `most` entries and never more.
    recent = Document.objects.filter(workspace=workspace, created_at__gt=now - MINUTE)
    times = recent.order_by("-created_at", "id").values_list("created_at", flat=True)
    oldest = times[most - 1 : most].first()
    return 0.0 if oldest is None else (oldest + MINUTE - now).total_seconds()
