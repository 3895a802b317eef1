"""The embedded services: started, adopted, restarted, refused."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from config import local_postgres, local_services
from config.local_paths import MAX_SOCKET_DIR_BYTES, socket_dir
from config.local_services import Services
from config.start_error import StartError
from tests.stack import wait_until

Start = Callable[..., Services]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start services and stop them after the test."""
    started: list[Services] = []

    def start(home: Path, **options: str) -> Services:
        services = local_services.start(home, postgres_options=options)
        started.append(services)
        return services

    yield start
    for services in started:
        services.stop()


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))


def write_mark(services: Services) -> None:
    with psycopg.connect(services.database_url) as connection:
        connection.execute("CREATE TABLE mark AS SELECT 'kept'::text AS word")
    with redis.Redis.from_url(services.redis_url) as client:
        client.set("mark", "kept")


def read_mark(services: Services) -> tuple[str, str]:
    with psycopg.connect(services.database_url) as connection:
        row = connection.execute("SELECT word FROM mark").fetchone()
    with redis.Redis.from_url(services.redis_url, decode_responses=True) as client:
        word = client.get("mark")
    assert row is not None
    return row[0], str(word)


def test_addresses_follow_from_the_home_alone(home: Path, start: Start) -> None:
    before = local_services.urls(home)

    services = start(home)

    assert (services.database_url, services.redis_url) == before
    assert local_services.urls(home) == before


def test_data_survives_a_restart(home: Path, start: Start) -> None:
    services = start(home)
    write_mark(services)
    services.stop()

    assert read_mark(start(home)) == ("kept", "kept")


def test_stop_ends_both_servers(home: Path, start: Start) -> None:
    services = start(home)
    server = postmaster(home)

    services.stop()

    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(services.redis_url).ping()


def test_servers_of_a_killed_starter_are_adopted(home: Path, start: Start) -> None:
    program = (
        "import sys, os, pathlib; from config import local_services;"
        "local_services.start(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(home)], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = postmaster(home).pid

    services = start(home)

    assert postmaster(home).pid == left
    services.stop()
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_killed_postgres_is_started_again_with_its_data(home: Path, start: Start) -> None:
    services = start(home)
    write_mark(services)
    postmaster(home).kill()

    wait_until(lambda: services.restart_dead() == ["PostgreSQL"], "the death is seen")
    services.wait_ready()

    assert read_mark(services) == ("kept", "kept")


def test_killed_redis_is_started_again_with_its_data(home: Path, start: Start) -> None:
    services = start(home)
    write_mark(services)
    with redis.Redis.from_url(services.redis_url) as client:
        pid = int(client.info("server")["process_id"])
    psutil.Process(pid).kill()

    wait_until(lambda: services.restart_dead() == ["Redis"], "the death is seen")
    services.wait_ready()

    assert read_mark(services) == ("kept", "kept")


def test_pid_file_that_names_another_program_is_no_obstacle(home: Path, start: Start) -> None:
    services = start(home)
    pid_file = home / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    services.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pid_file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))

    try:
        start(home)
        assert stranger.poll() is None
        assert postmaster(home).pid != stranger.pid
    finally:
        stranger.communicate()


def test_half_made_data_folder_is_made_again(home: Path, start: Start) -> None:
    ruin = home / "postgres.new"
    ruin.mkdir(parents=True)
    (ruin / "PG_VERSION").write_text("18")

    services = start(home)

    assert psycopg.connect(services.database_url).info.server_version >= 180000
    assert not ruin.exists()


def test_two_homes_run_side_by_side(home: Path, start: Start) -> None:
    one, other = start(home / "one"), start(home / "other")

    write_mark(one)

    with psycopg.connect(other.database_url) as connection:
        found = connection.execute("SELECT to_regclass('mark')").fetchone()
    assert found == (None,)


def test_long_home_gets_short_sockets(home: Path, start: Start) -> None:
    deep = home / ("d" * 60) / ("e" * 60)

    services = start(deep)

    assert len(str(socket_dir(deep))) <= MAX_SOCKET_DIR_BYTES
    write_mark(services)
    assert read_mark(services) == ("kept", "kept")


def test_given_addresses_start_nothing(home: Path) -> None:
    services = local_services.services_of(
        home, database_url="postgresql://db.example/sluice", redis_url="redis://cache.example"
    )

    services.launch()

    assert services.embedded == ()
    assert not (home / "postgres").exists()


def test_newer_pgvector_is_accepted(services: Services) -> None:
    assert local_services.require_pgvector(services.database_url, (0, 8, 4)) >= "0.8.4"


def test_older_pgvector_is_refused_with_both_versions(services: Services) -> None:
    with pytest.raises(StartError, match=r"has pgvector 0\.8\.\d+; Sluice needs 99\.0 or newer"):
        local_services.require_pgvector(services.database_url, (99, 0))


def test_missing_pgvector_is_refused(home: Path, start: Start) -> None:
    services = start(home, extension_control_path="/nowhere")

    with pytest.raises(StartError, match="has no pgvector"):
        local_services.require_pgvector(services.database_url, (0, 8, 4))


def test_unreachable_database_is_a_sentence() -> None:
    with pytest.raises(StartError, match="cannot be reached"):
        local_services.require_pgvector("postgresql://postgres@/x?host=/nowhere", (0, 8, 4))


def test_an_account_that_somebody_else_made_meanwhile_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = pwd.getpwuid(os.getuid())
    answers = iter([None, entry])
    asked: list[Any] = []

    def found(name: str) -> pwd.struct_passwd:
        answer = next(answers)
        if answer is None:
            raise KeyError(name)
        return answer

    monkeypatch.setattr(pwd, "getpwnam", found)
    monkeypatch.setattr(subprocess, "run", lambda *rest, **_: asked.append(rest))

    assert local_postgres._roots_account() == entry
    assert asked == []
