"""The documentation names everything there is, and nothing that is not."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import BaseCommand, get_commands, load_command_class
from django.urls import URLPattern
from django.urls.resolvers import RegexPattern

import documents.urls
import processing.urls
from documents.errors import SluiceError
from processing.extraction import SUPPORTED, media_types
from tests.test_architecture import APPS, ROOT, modules

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md"])
READERS = {"str", "int", "bool", "float", "list", "json", "path"}
# What the middleware and the framework answer, beside the error tree.
OTHER_CODES = {"unauthenticated", "method_not_allowed", "unavailable"}


def table(name: str, columns: int) -> list[list[str]]:
    """Return the rows of all tables of a document whose first cell is a code span."""
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", (DOCS / name).read_text(), re.MULTILINE)
    cells = [[first, *(cell.strip() for cell in rest.split(" | "))] for first, rest in rows]
    return [row for row in cells if len(row) == columns]


def variables() -> Iterator[str]:
    """Yield every environment variable that a strict reader reads."""
    for path in (ROOT / "config").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            on_env = isinstance(node.func.value, ast.Name) and node.func.value.id == "env"
            if on_env and node.func.attr in READERS and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)


def error_modules() -> Iterator[str]:
    """Yield the modules that declare a class with a code of its own."""
    for name, path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                assigned = [part for part in node.body if isinstance(part, ast.Assign)]
                if any(re.match(r"code\b", ast.unparse(part)) for part in assigned):
                    yield name


def errors(branch: type[SluiceError] = SluiceError) -> Iterator[type[SluiceError]]:
    if "code" in vars(branch):
        yield branch
    for smaller in branch.__subclasses__():
        yield from errors(smaller)


def addresses() -> Iterator[str]:
    """Yield every path of the API, as the documentation writes it."""
    for pattern in [*documents.urls.urlpatterns, *processing.urls.urlpatterns]:
        assert isinstance(pattern, URLPattern)
        yield from (f"/api/v1/{path}" for path in _written(pattern))


def _written(pattern: URLPattern) -> list[str]:
    text = str(pattern.pattern)
    if not isinstance(pattern.pattern, RegexPattern):
        return [re.sub(r"<uuid:\w+>", "{id}", re.sub(r"<int:\w+>", "{n}", text))]
    text = re.sub(r"\(\?P<\w+_id>[^()]*\)", "{id}", text.strip("^$"))
    (choice,) = re.findall(r"\(\?P<\w+>([\w|]+)\)", text)
    return [re.sub(r"\(\?P<\w+>[\w|]+\)", action, text) for action in choice.split("|")]


def commands() -> list[tuple[str, BaseCommand]]:
    """Return every management command of ours."""
    return [
        (path.stem, load_command_class(app, path.stem))
        for app in APPS
        for path in sorted((ROOT / app / "management" / "commands").glob("[a-z]*.py"))
    ]


def written(name: str) -> str:
    return (DOCS / name).read_text()


def sections() -> dict[str, str]:
    """Return what is written about each command."""
    parts = re.split(r"^## ", written("commands.md"), flags=re.MULTILINE)[1:]
    return {part.split()[0]: part for part in parts}


def test_every_variable_is_documented_and_no_other() -> None:
    documented = [row[0] for row in table("settings.md", 3)]

    assert sorted(documented) == sorted(set(variables()))


def test_every_error_is_documented_with_its_status_and_sentence() -> None:
    for name in error_modules():
        importlib.import_module(name)

    declared = {(error.code, str(error.status), error.title) for error in errors()}

    assert {(row[0], row[1], row[2]) for row in table("api.md", 4)} == declared


@pytest.mark.parametrize("code", sorted(OTHER_CODES))
def test_codes_beside_the_tree_are_documented(code: str) -> None:
    answered = [(ROOT / "config" / name).read_text() for name in ("api.py", "middleware.py")]

    assert f'"{code}"' in "".join(answered)
    assert f"`{code}`" in written("api.md")


def test_every_address_of_the_api_is_documented_and_no_other() -> None:
    documented = re.findall(r"`(?:GET|POST|PUT|DELETE) (/api/v1/[^`?]*)", written("api.md"))

    assert set(documented) == set(addresses())


def test_every_command_is_documented_with_its_options() -> None:
    documented = sections()
    usual = set(BaseCommand().create_parser("manage.py", "any")._option_string_actions)

    for name, command in commands():
        assert f"manage.py {name}" in documented[name]
        own = set(command.create_parser("manage.py", name)._option_string_actions) - usual
        assert {option for option in own if option not in documented[name]} == set()


def test_every_documented_command_exists() -> None:
    assert set(sections()) - set(get_commands()) == set()


def test_every_documented_option_exists() -> None:
    documented = {
        name: set(re.findall(r"`(--[\w-]+)", section)) for name, section in sections().items()
    }

    for name, command in commands():
        source = Path(importlib.import_module(type(command).__module__).__file__ or "").read_text()
        assert {option for option in documented[name] if f'"{option}"' not in source} == set()


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", path.read_text())

    for target, anchor in targets:
        found = path.parent / target if target else path
        assert found.exists(), f"{path.name} links to {target}"
        headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE) if anchor else []
        slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in slugs, f"{path.name} links to #{anchor}"


def test_every_type_that_is_read_stands_in_the_formats() -> None:
    named = set(re.findall(r"`([a-z]+/[\w.+-]+)`", (DOCS / "formats.md").read_text()))

    assert named == {*SUPPORTED, *media_types.ARCHIVES}
