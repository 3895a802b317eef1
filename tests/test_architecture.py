"""House rules that no linter knows: one door to each library, and readable sizes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("documents", "processing", "dashboard", "config")
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40
# Which modules may import a library; a name ends at a dot, so "urls" is "documents.urls".
DOORS = {
    "rest_framework": r"\.(schema(_\w+)?|event_schema|serializers|throttles|views|urls)$|^config\.",
    "drf_spectacular": r"\.(schema(_\w+)?|event_schema|serializers|views|urls)$|^config\.",
    "dramatiq": r"^processing\.(tasks|worker)$",
    "django_dramatiq": r"^processing\.(tasks|worker)$",
    "boto3": r"^documents\.storage\.s3(_\w+)?$",
    "botocore": r"^documents\.storage\.s3(_\w+)?$",
    "channels": r"^(processing\.publisher|dashboard\.(consumers|routing|try_later)|config\.asgi)$",
    "rapidocr_onnxruntime": r"^processing\.extraction\.recognition\.rapid$",
    "pi_heif": r"^processing\.extraction\.heif$",
    "pyvips": r"^processing\.(extraction\.pictures|previews\.raster)$",
    "channels_redis": r"^processing\.publisher$",
}


STATUS_SQL = re.compile(r"update documents_document\b[^;]*\bset\b[^;]*\bstatus\s*=")


def modules() -> Iterator[tuple[str, Path]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every absolute import, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_library_is_imported_only_through_its_door() -> None:
    trespassing = {
        f"{name} imports {module}"
        for name, path in modules()
        for module in imports(ast.parse(path.read_text()))
        if not re.search(DOORS.get(module.partition(".")[0], ""), name)
    }

    assert trespassing == set()


def status_writes(tree: ast.AST) -> Iterator[str]:
    """Yield what changes a document's status: assignment, UPDATE, bulk write or SQL."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(each, ast.Attribute) and each.attr == "status" for each in targets):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            names = {keyword.arg for keyword in node.keywords} | {
                part.value for part in ast.walk(node) if isinstance(part, ast.Constant)
            }
            writes = {"update", "bulk_update", "save", "update_or_create"}
            if node.func.attr == "transition" or (node.func.attr in writes and "status" in names):
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and STATUS_SQL.search(str(node.value)):
            yield str(node.value)


def test_only_moves_changes_a_status() -> None:
    allowed = {"documents.models", "documents.services.moves"}
    writing = {
        f"{name}: {found}"
        for name, path in written_by_hand()
        if name not in allowed
        for found in status_writes(ast.parse(path.read_text()))
    }

    assert writing == set()


@pytest.mark.parametrize(
    "source",
    [
        "document.status = Status.READY",
        "Document.objects.filter(id=1).update(title='', status='ready')",
        "Document.objects.bulk_update(documents, ['status'])",
        "document.save(update_fields=('status',))",
        "documents.transition(Status.READY)",
        "cursor.execute('update documents_document set version = 1, status = %s where id = %s')",
    ],
)
def test_every_way_to_change_a_status_is_seen(source: str) -> None:
    assert list(status_writes(ast.parse(source)))


def test_reading_a_status_is_free() -> None:
    source = "if document.status == 'ready': documents.filter(status='x').update(title='y')"

    assert not list(status_writes(ast.parse(source)))


def test_modules_are_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in written_by_hand()}

    assert {name: n for name, n in lengths.items() if n > MAX_MODULE_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{name}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, path in written_by_hand()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION_LINES} == {}


def written_by_hand() -> Iterator[tuple[str, Path]]:
    return ((name, path) for name, path in modules() if ".migrations." not in name)
