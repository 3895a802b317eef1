"""PostgreSQL and Redis from wheels, run by Sluice itself under SLUICE_HOME.

`urls` computes the addresses from the folder alone, so that settings and a
command in another terminal reach the services of a running Sluice. Starting
them adopts those that a killed Sluice left running.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import psycopg

from config.local_postgres import LocalPostgres
from config.local_redis import LocalRedis
from config.start_error import StartError


class Urls(NamedTuple):
    database_url: str
    redis_url: str


class Service(Protocol):
    """A server of our own, known by its data folder and not by who started it."""

    name: str

    def start(self) -> None: ...

    def wait_ready(self) -> None: ...

    def is_running(self) -> bool: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """Where the services are, and those of them that are ours to run."""

    database_url: str
    redis_url: str
    embedded: tuple[Service, ...]

    def launch(self) -> None:
        """Start or adopt what is ours, without waiting for it."""
        for service in self.embedded:
            service.start()

    def wait_ready(self) -> None:
        """Return once every service of ours answers; raise StartError if one will not."""
        for service in self.embedded:
            service.wait_ready()

    def restart_dead(self) -> list[str]:
        """Start what has died since; return the names. Safe to call at any time."""
        dead = [service for service in self.embedded if not service.is_running()]
        for service in dead:
            service.start()
        return [service.name for service in dead]

    def stop(self) -> None:
        """Stop what is ours; data is on disk before this returns."""
        for service in reversed(self.embedded):
            service.stop()


def urls(home: Path) -> Urls:
    """Return the addresses the embedded services of `home` have, running or not."""
    return Urls(LocalPostgres(home).url, LocalRedis(home).url)


def services_of(
    home: Path,
    *,
    database_url: str = "",
    redis_url: str = "",
    postgres_options: Mapping[str, str] | None = None,
) -> Services:
    """Return the services of `home`: an address that is given stands for one of ours.

    `postgres_options` override server settings (tests turn fsync off).
    """
    (home / "log").mkdir(parents=True, exist_ok=True)
    embedded: list[Service] = []
    if not database_url:
        postgres = LocalPostgres(home, postgres_options)
        database_url = postgres.url
        embedded.append(postgres)
    if not redis_url:
        redis = LocalRedis(home)
        redis_url = redis.url
        embedded.append(redis)
    return Services(database_url, redis_url, tuple(embedded))


def start(home: Path, *, postgres_options: Mapping[str, str] | None = None) -> Services:
    """Start both services of `home` and wait until they answer."""
    services = services_of(home, postgres_options=postgres_options)
    try:
        services.launch()
        services.wait_ready()
    except StartError:
        services.stop()
        raise
    return services


def require_pgvector(database_url: str, minimum: tuple[int, ...]) -> str:
    """Return the version of pgvector the database will use; refuse an older one.

    An extension that is created already counts as what it is, not as what the
    server could offer. Raises StartError when it is missing, too old, or when
    the database cannot be reached.
    """
    needed = ".".join(map(str, minimum))
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT installed_version, default_version FROM pg_available_extensions"
                " WHERE name = 'vector'"
            ).fetchone()
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise StartError(f"The database at DATABASE_URL cannot be reached: {reason}") from error
    if row is None:
        raise StartError(
            f"The database has no pgvector; Sluice needs pgvector {needed} or newer."
            " Install it on the database server (https://github.com/pgvector/pgvector)."
        )
    installed, available = row
    version = str(installed or available)
    if tuple(int(part) for part in version.split(".")) < minimum:
        remedy = (
            "Run ALTER EXTENSION vector UPDATE in it."
            if installed and installed != available
            else "Install a newer one on the database server."
        )
        raise StartError(
            f"The database has pgvector {version}; Sluice needs {needed} or newer. {remedy}"
        )
    return version
