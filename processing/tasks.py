"""Doorbells: the actors that Dramatiq runs, and how to ring them.

A message says only "look". What there is to do is read from Postgres, so a
message may be lost, doubled or late without effect. The broker has no middleware for
retries or time limits (settings, DRAMATIQ_BROKER): both are rows in Postgres.
"""

import time
from functools import partial
from typing import Any

import dramatiq
import redis
import structlog
from django.db import transaction
from dramatiq.errors import BrokerConnectionError

from documents import faults
from processing import turns
from processing.models import StageName
from processing.pipeline import BY_URGENCY

log = structlog.get_logger(__name__)

# A second ring is dropped while the first has not been answered, for this long at most.
BELL_MILLISECONDS = 5_000
# No ring for so long after one was lost: workers look by themselves meanwhile.
SILENT_SECONDS = 3.0


Actor = dramatiq.Actor[[], None]


def _actor(stage: StageName) -> Actor:
    @dramatiq.actor(actor_name=stage.value, queue_name=stage.value)
    def work() -> None:
        """Work on ready runs of the stage until none is left or the turn is over."""
        _answer(stage)

    return work


# In the order in which who is not rung turns to them.
ACTORS = {stage.name: _actor(stage.name) for stage in BY_URGENCY}


@dramatiq.actor(queue_name="quarantine")
def quarantine() -> None:
    """Work on runs that crashed before, one at a time in each process."""
    _clear_bell(quarantine)
    turns.work_in_quarantine(BELLS)


class _Silence:
    """Until when, on the monotonic clock, ringing is pointless; any thread may set it."""

    until = 0.0


_silence = _Silence()


def ring(stage: StageName) -> None:
    """Wake a free worker thread for this stage. Never raises: a lost ring is no loss."""
    _ring(ACTORS[stage])


def ring_quarantine() -> None:
    """Wake a free worker thread for the quarantine."""
    _ring(quarantine)


BELLS = turns.Bells(ring, ring_quarantine)


def ring_after_commit(stage: StageName) -> None:
    """Ring once the work is there for others to see."""
    transaction.on_commit(partial(ring, stage), robust=True)


def hush(seconds: float) -> None:
    """Have no bell ring for so long, as if every ring were lost; for drills."""
    for actor in (*ACTORS.values(), quarantine):
        _redis(actor).set(_bell(actor), 1, px=int(seconds * 1000))


def work_through() -> int:
    """Take a turn at everything without being rung; return how many runs were taken."""
    taken = sum(turns.work_on(stage, BELLS) for stage in ACTORS)
    return taken + turns.work_in_quarantine(BELLS)


def _answer(stage: StageName) -> None:
    # Before the first claim: whatever becomes ready from now on may ring again.
    _clear_bell(ACTORS[stage])
    turns.work_on(stage, BELLS)


def _ring(actor: Actor) -> None:
    if time.monotonic() < _silence.until:
        return
    try:
        if _redis(actor).set(_bell(actor), 1, nx=True, px=BELL_MILLISECONDS):
            faults.point("ring.before_send")
            actor.send()
            faults.point("ring.after_send")
    except (redis.RedisError, BrokerConnectionError) as error:
        # A Redis that hangs costs one request its patience, and not each of them.
        _silence.until = time.monotonic() + SILENT_SECONDS
        log.warning("ring_lost", actor=actor.actor_name, error=str(error))


def _clear_bell(actor: Actor) -> None:
    try:
        _redis(actor).delete(_bell(actor))
    except redis.RedisError as error:
        log.warning("bell_not_cleared", actor=actor.actor_name, error=str(error))


def _bell(actor: Actor) -> str:
    return f"sluice:bell:{actor.actor_name}"


def _redis(actor: Actor) -> redis.Redis:
    broker: Any = actor.broker  # The configured one is Redis's; the base class has no client.
    client: redis.Redis = broker.client
    return client
