"""How a Dramatiq worker process takes part: it announces itself, beats and ends well."""

import threading
from typing import Any

import dramatiq
import redis
import structlog
from django.db import connection

from documents.errors import SluiceError
from processing import priority, reading, renewal, tasks
from processing.embeddings.registry import get_embedder
from processing.presence import presence, rss_bytes

log = structlog.get_logger(__name__)
POLL_SECONDS = 1.0
PROBE = "sluice:probe"
PROBE_MILLISECONDS = 1_000
RENEWAL_LOOK_SECONDS = 1.0
DRAIN_LOOK_SECONDS = 0.1
WARM_UP_AFTER_SECONDS = 3.0


def install() -> None:
    """Take part in the life of the broker's workers; called once the models are loaded."""
    dramatiq.get_broker().add_middleware(WorkerMiddleware())


class WorkerMiddleware(dramatiq.Middleware):
    """Tie the life of the presence and the sandbox to that of the worker process."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Let whoever waits for a page or an upload go first."""
        priority.give_way()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Announce the process, and watch for a Redis that is away."""
        presence.start(broker.get_declared_queues())
        threading.Thread(target=self._renew, args=(worker,), name="renew", daemon=True).start()
        threading.Thread(target=self._poll, args=(broker,), name="poll", daemon=True).start()
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Take no more work; what is in hand goes back."""
        self._ended.set()
        presence.stop()
        # Only now: what runs in it has been told why it ends.
        reading.close_sandbox()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Say goodbye: nothing is held any more."""
        presence.leave()

    def _poll(self, broker: Any) -> None:
        """Work without being rung while Redis is away: latency is lost, work is not."""
        while not self._ended.wait(POLL_SECONDS):
            try:
                # Written, not read: a Redis that is full or a replica answers, but rings nobody.
                broker.client.set(PROBE, 1, px=PROBE_MILLISECONDS)
            except redis.RedisError as error:
                log.warning("redis_away", error=str(error))
                self._work_unrung()

    def _work_unrung(self) -> None:
        try:
            tasks.work_through()
        except Exception:
            # This thread lives as long as the process: it may be all that works.
            log.exception("unrung_work_broke")
        finally:
            connection.close()

    def _renew(self, worker: dramatiq.Worker) -> None:
        """End this process once it has worked enough; whoever supervises it starts a new one."""
        while not renewal.is_due(presence):
            if self._ended.wait(RENEWAL_LOOK_SECONDS):
                return
        log.info("worker_renews", runs=presence.finished, rss_bytes=rss_bytes())
        presence.drain()
        # Rings go to who can answer them.
        for consumer in list(worker.consumers.values()):
            consumer.pause()
        while presence.is_busy:
            if self._ended.wait(DRAIN_LOOK_SECONDS):
                return
        renewal.end_process()

    def _warm_up(self) -> None:
        """Load what the first document would otherwise wait for: the sandbox and the model."""
        # The page first: whoever starts Sluice wants to see it before there is a document.
        if self._ended.wait(WARM_UP_AFTER_SECONDS):
            return
        try:
            reading.start_sandbox()
            get_embedder().embed(["warm"])
        except SluiceError as error:
            # The stage that needs it will say so again, where somebody sees it.
            log.warning("warm_up_failed", code=error.code, error=error.detail)
