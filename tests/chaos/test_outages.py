"""PostgreSQL and Redis killed, emptied and away for long: R1, R3, R4."""

import random
import time

import httpx
import pytest

from tests.chaos.scene import Scene
from tests.chaos.trials import Trials
from tests.stack import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

BACK_SECONDS = 10.0
HALF_SPEED = 0.5
# Fewer are done so soon that a ratio of the times says nothing.
PACE_DOCUMENTS = 120
# Whatever else an answer may be while a service is away.
HONEST = {200, 201, 409, 412, 503}


@pytest.mark.promise(
    "R1",
    "No acknowledged upload is lost",
    fault="SIGKILL of PostgreSQL right after the answer",
    trials=(2, 6),
)
def test_what_was_acknowledged_outlives_the_database(trials: Trials, scene: Scene) -> None:
    installation = scene.installation
    for trial in trials:
        drop = scene.drop(trial, window=trial.random.choice((1, 5, 20)))
        oracle = scene.watch(drop, listen=False)
        drop.wait_acknowledged(trial.random.randrange(1, scene.n_documents))
        # At once, and with it whatever else was acknowledged until it died.
        installation.kill_postgres()
        oracle.write_journal()
        installation.start_postgres()
        scene.settle(oracle)


@pytest.mark.promise(
    "R1",
    "No acknowledged upload is lost",
    fault="SIGKILL of web at each place of presign and complete",
    trials=(1, 2),
)
def test_what_was_acknowledged_outlives_the_web(trials: Trials, scene: Scene) -> None:
    places = (
        *("presign.before_commit", "presign.after_commit"),
        *("complete.before_look", "complete.before_commit", "complete.after_commit"),
    )
    for trial in trials:
        drop = scene.drop(trial, window=10)
        oracle = scene.watch(drop, listen=False)
        for place in trial.random.sample(places, len(places)):
            struck = scene.installation.struck(place)
            scene.installation.arm(place, "kill9")
            wait_until(
                lambda place=place, struck=struck: scene.installation.struck(place) > struck,  # type: ignore[misc]
                f"{place} struck",
            )
        scene.settle(oracle)


@pytest.mark.promise(
    "R3",
    "Redis is a doorbell: emptied, stopped, started empty, everything finishes",
    fault="FLUSHALL, then SIGKILL, away, and back without its memory",
    trials=(1, 2),
)
def test_redis_may_forget_everything(trials: Trials, scene: Scene, outage_seconds: float) -> None:
    installation = scene.installation
    for trial in trials:
        drop = scene.drop(trial)
        oracle = scene.watch(drop)
        scene.wait_searchable(drop.batch, trial.random.randrange(10))
        installation.redis_client().flushall()
        scene.wait_searchable(drop.batch, 20)
        installation.kill_redis(empty=True)
        gone = time.monotonic()
        # Everything is finished without it, and what is dropped meanwhile too.
        later = scene.drop(trial, 20)
        scene.settle(scene.watch(later, listen=False))
        away = max(0.0, outage_seconds - (time.monotonic() - gone))
        hold_out(scene, away, trial.random)
        installation.start_redis()
        scene.settle(oracle)


@pytest.mark.promise(
    "R3",
    "Without Redis the work goes on at half its speed or better",
    fault="the same batch with Redis and without",
    trials=(1, 2),
)
def test_work_keeps_its_pace_without_redis(trials: Trials, scene: Scene) -> None:
    for trial in trials:
        seconds = []
        for is_away in (False, True):
            if is_away:
                scene.installation.kill_redis(empty=True)
            started = time.monotonic()
            drop = scene.drop(trial, PACE_DOCUMENTS)
            scene.settle_quickly(drop)
            seconds.append(time.monotonic() - started)
        scene.installation.start_redis()
        pace = seconds[0] / seconds[1]
        trial.measured("pace", pace)
        assert pace >= HALF_SPEED, f"{seconds} s with and without Redis"


@pytest.mark.promise(
    "R4",
    "PostgreSQL killed and away: nothing acknowledged is lost, all are back within 10 s, "
    "meanwhile 503 with Retry-After and never 500",
    fault="SIGKILL of the whole server in mid-batch, down for seconds",
    trials=(1, 2),
)
def test_everybody_survives_the_database(
    trials: Trials, scene: Scene, outage_seconds: float
) -> None:
    installation = scene.installation
    for trial in trials:
        drop = scene.drop(trial, window=5)
        oracle = scene.watch(drop)
        drop.wait_acknowledged(trial.random.randrange(5, scene.n_documents - 10))
        before = installation.pids()
        installation.kill_postgres()
        hold_out(scene, min(outage_seconds, 30.0), trial.random)
        installation.start_postgres()
        back = time.monotonic()
        installation.wait_ready(BACK_SECONDS)
        wait_until(
            lambda before=before: installation.seen_since_start() == beating(before),  # type: ignore[misc]
            "every process has said again that it is alive",
            seconds=BACK_SECONDS,
        )
        trial.recovered(time.monotonic() - back)
        assert installation.pids() == before, "a process did not survive"
        scene.settle(oracle)
        assert set(drop.statuses) <= HONEST, drop.statuses
        assert drop.without_retry_after == 0


def beating(pids: dict[str, int]) -> set[int]:
    """Return those that write a heartbeat: conductors and what works in the workers."""
    return {
        pid
        for name, pid in pids.items()
        if name.startswith("conductor") or name.endswith("'s work")
    }


def hold_out(scene: Scene, seconds: float, chance: random.Random) -> None:
    """Ask for pages and data until `seconds` are over: each answer is honest."""
    until = time.monotonic() + seconds
    addresses = ("/", "/login/", "/api/v1/batches", "/api/v1/stats", "/api/v1/search?q=gate")
    headers = {"Authorization": f"Bearer {scene.token}"}
    while time.monotonic() < until:
        address = scene.installation.url + chance.choice(addresses)
        answer = httpx.get(address, headers=headers, timeout=20)
        assert answer.status_code < 500 or answer.status_code == 503, f"{address} {answer.text}"
        assert answer.status_code != 503 or "Retry-After" in answer.headers, address
