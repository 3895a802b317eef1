"""Processes killed, frozen and told to end where they stand: R2, R5, R20."""

import os
import signal
import time

import pytest

from tests.chaos.installation import LEASE_SECONDS, Installation
from tests.chaos.scene import Scene
from tests.chaos.trials import Trials
from tests.stack import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

P95_SECONDS = LEASE_SECONDS + 10.0
ENOUGH = 10
STOP_SECONDS = 30.0


@pytest.mark.promise(
    "R2",
    "A worker killed at any line: its documents finish without a human, p95 within lease + 10 s",
    fault="SIGKILL of a worker at a random moment of a batch",
    trials=(2, 12),
)
def test_a_killed_worker_loses_nothing(trials: Trials, scene: Scene) -> None:
    installation = scene.installation
    for trial in trials:
        drop = scene.drop(trial)
        oracle = scene.watch(drop)
        scene.wait_searchable(drop.batch, trial.random.randrange(scene.n_documents // 2))

        victim = trial.random.choice(installation.names("worker"))
        held = held_by(installation, installation.worker_pid(victim))
        installation.kill(victim)
        struck = time.monotonic()

        wait_settled(installation, held)
        if held:
            trial.recovered(time.monotonic() - struck)
        scene.settle(oracle)
    ordered = sorted(trials.recoveries)
    # Of two trials there is no 95th percentile.
    if len(ordered) >= ENOUGH:
        assert ordered[int(len(ordered) * 0.95)] <= P95_SECONDS, ordered


@pytest.mark.promise(
    "R5",
    "Embedded exactly once in effect",
    fault="SIGSTOP of a worker past its lease, then SIGCONT",
    trials=(1, 8),
)
def test_a_worker_that_wakes_up_too_late_changes_nothing(trials: Trials, scene: Scene) -> None:
    installation = scene.installation
    for trial in trials:
        drop = scene.drop(trial)
        oracle = scene.watch(drop)
        scene.wait_searchable(drop.batch, trial.random.randrange(scene.n_documents // 2))

        sleeper = trial.random.choice(installation.names("worker"))
        pid = installation.worker_pid(sleeper)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        held = held_by(installation, pid)
        try:
            # By the others, while it still believes to hold them.
            wait_settled(installation, held)
        finally:
            os.kill(pid, signal.SIGCONT)
        scene.settle(oracle)


@pytest.mark.promise(
    "R2",
    "A conductor that leads and stands still is replaced",
    fault="SIGSTOP of the leading conductor in mid-batch",
    trials=(1, 5),
)
def test_a_leader_that_stands_still_is_replaced(trials: Trials, scene: Scene) -> None:
    installation = scene.installation
    for trial in trials:
        drop = scene.drop(trial)
        oracle = scene.watch(drop)
        scene.wait_searchable(drop.batch, trial.random.randrange(scene.n_documents // 2))

        frozen = installation.wait_leader()
        installation.signal(frozen, signal.SIGSTOP)
        struck = time.monotonic()
        try:
            wait_until(
                lambda frozen=frozen: installation.leader() not in {None, frozen},  # type: ignore[misc]
                "another conductor leads",
                seconds=60,
            )
            trial.recovered(time.monotonic() - struck)
            # Without the frozen one, which still believes to lead.
            drop.wait()
            oracle.wait_finished()
        finally:
            installation.signal(frozen, signal.SIGCONT)
        scene.settle(oracle)


@pytest.mark.promise(
    "R20",
    "A worker told to end gives back what it holds within 30 s and burns no attempt",
    fault="SIGTERM of all workers in mid-batch",
    trials=(1, 8),
)
def test_a_worker_told_to_end_burns_no_attempt(trials: Trials, scene: Scene) -> None:
    installation = scene.installation
    for trial in trials:
        drop = scene.drop(trial)
        oracle = scene.watch(drop)
        scene.wait_searchable(drop.batch, trial.random.randrange(scene.n_documents // 2))

        told = time.monotonic()
        masters = [pid for name in installation.names("worker") if (pid := installation.pid(name))]
        for pid in masters:
            os.kill(pid, signal.SIGTERM)
        wait_until(
            lambda masters=masters: not set(masters) & set(installation.pids().values()),  # type: ignore[misc]
            "the workers have ended",
            seconds=STOP_SECONDS,
        )
        trial.measured("seconds to end", time.monotonic() - told)
        scene.settle(oracle)
        burnt = installation.rows(
            "select max(r.attempt), max(r.crashes) from processing_stagerun r "
            "join documents_document d on d.id = r.document_id where d.batch_id = %s",
            drop.batch,
        )
        assert burnt == [(1, 0)]


def held_by(installation: Installation, pid: int | None) -> list[int]:
    """Return the runs that a worker process has in its hands."""
    rows = installation.rows(
        "select r.id from processing_stagerun r join processing_worker w on w.id = r.lease_worker "
        "where w.pid = %s and w.stopped_at is null and r.state = 'leased'",
        pid,
    )
    return [row[0] for row in rows]


def wait_settled(installation: Installation, run_ids: list[int]) -> None:
    """Return once these runs are finished, by whomever."""
    wait_until(
        lambda: (
            not installation.rows(
                "select 1 from processing_stagerun "
                "where id = any(%s) and state in ('ready', 'leased')",
                run_ids,
            )
        ),
        "what the lost worker held is done",
        seconds=120,
    )
