"""The container files name only commands and variables that exist, as `make run` uses them."""

import ast
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from config import children

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENV_EXAMPLE = (ROOT / "deploy" / "env.example").read_text()
OURS = [name for name, service in COMPOSE["services"].items() if "build" in service]
# Read by an image, an interpreter or a library, not by the settings.
FOREIGN = re.compile(
    r"^(POSTGRES_\w+|PYTHON\w+|DJANGO_SETTINGS_MODULE|OMP_NUM_THREADS|OPENBLAS_NUM_THREADS)$"
)
# What Dockerfile and compose need is here; the line may be continued.
INSTRUCTION = re.compile(r"^(ENV|CMD|COPY|RUN) (.+?)(?<!\\)$(?!\n {5})", re.MULTILINE | re.DOTALL)


def names_the_settings_read() -> set[str]:
    """Return every X of `env.kind("X")` in the settings and their readers."""
    names: set[str] = set()
    for module in ("settings.py", "environment.py"):
        for node in ast.walk(ast.parse((ROOT / "config" / module).read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner, first = node.func.value, node.args[0] if node.args else None
                is_env = isinstance(owner, ast.Name) and owner.id == "env"
                if is_env and isinstance(first, ast.Constant):
                    names.add(str(first.value))
    return names


def instructions(keyword: str) -> list[str]:
    return [body for name, body in INSTRUCTION.findall(DOCKERFILE) if name == keyword]


def unknown(names: set[str]) -> set[str]:
    return {name for name in names if not FOREIGN.match(name)} - names_the_settings_read()


def supervised(name: str) -> list[str]:
    """Return what `make run` starts under this name, without the interpreter."""
    specs = children.specs(host="0.0.0.0", port=8000, workers=1, threads=3)
    return list(next(spec for spec in specs if spec.name == name).command[1:])


def test_settings_are_found_by_the_reader() -> None:
    assert {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "PORT"} <= names_the_settings_read()


def test_compose_runs_web_workers_conductor_and_their_services() -> None:
    assert set(COMPOSE["services"]) == {
        *("migrate", "web", "worker", "conductor", "postgres", "redis")
    }
    assert OURS == ["migrate", "web", "worker", "conductor"]


@pytest.mark.parametrize("service", ["postgres", "redis", "web"])
def test_service_others_wait_for_has_a_health_check(service: str) -> None:
    assert COMPOSE["services"][service]["healthcheck"]["test"]


@pytest.mark.parametrize("service", OURS)
def test_variables_of_a_service_are_read_by_the_settings(service: str) -> None:
    assert unknown(set(COMPOSE["services"][service]["environment"])) == set()


def test_variables_of_the_image_are_read_by_the_settings() -> None:
    names = {name for body in instructions("ENV") for name in re.findall(r"(\w+)=", body)}

    assert "SLUICE_HOME" in names
    assert unknown(names) == set()


def test_example_names_every_variable_compose_asks_for_and_no_other() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    offered = set(re.findall(r"^(\w+)=", ENV_EXAMPLE, re.MULTILINE))

    assert offered == asked
    assert unknown(offered) == set()


@pytest.mark.parametrize("name", ["SECRET_KEY", "POSTGRES_PASSWORD"])
def test_compose_refuses_to_start_without_a_secret(name: str) -> None:
    uses = re.findall(rf"\$\{{{name}(:\?)?", (ROOT / "docker-compose.yml").read_text())

    assert uses
    assert all(use == ":?" for use in uses)
    assert f"{name}=\n" in ENV_EXAMPLE


@pytest.mark.parametrize("service", OURS)
def test_management_command_of_a_service_exists(service: str) -> None:
    command = COMPOSE["services"][service]["command"]

    assert command[0] == "python"
    if command[1] == "manage.py":
        assert command[2] in get_commands()
    else:
        assert command[1] == "-m"
        assert importlib.util.find_spec(command[2])


@pytest.mark.parametrize(
    ("service", "name"), [("web", "web"), ("worker", "worker-1"), ("conductor", "conductor")]
)
def test_service_runs_what_make_run_runs(service: str, name: str) -> None:
    assert COMPOSE["services"][service]["command"][1:] == supervised(name)


def test_image_starts_the_web_by_default() -> None:
    (command,) = instructions("CMD")

    assert json.loads(command.replace("\\\n", "")) == COMPOSE["services"]["web"]["command"]


def test_image_installs_what_make_run_installs() -> None:
    installs = [body for body in instructions("RUN") if "pip install" in body]

    assert len(installs) == 1
    assert "--require-hashes -r requirements.txt" in installs[0]
    assert '"run": "requirements.txt"' in (ROOT / "deploy" / "environment.py").read_text()


def test_image_holds_every_app_and_runs_as_nobody_special() -> None:
    copied = {body.split()[0] for body in instructions("COPY")}

    assert {"config", "documents", "processing", "dashboard", "templates", "static"} <= copied
    assert re.search(r"^USER sluice$", DOCKERFILE, re.MULTILINE)


def test_deployment_check_of_the_makefile_sets_variables_that_exist() -> None:
    production = re.search(r"PRODUCTION := (.+?)(?<!\\)\n", (ROOT / "Makefile").read_text(), re.S)
    assert production is not None
    names = set(re.findall(r"\b([A-Z_]+)=", production[1]))

    assert {"SECRET_KEY", "HTTPS", "DATABASE_URL", "REDIS_URL"} <= names
    assert unknown(names) == set()
