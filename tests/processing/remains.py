"""What remains of a document: in every table, in storage, and in what a search finds."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from documents.models import Document
from documents.services import deletion
from processing.search import search
from processing.stages import embed
from tests.processing.search_library import CompassEmbedder, paths

CONTENT = b"The zanzibarian gate opens at dawn."
MARKER = b"zanzibarian"
WORD = "zanzibarian"
PATH = "Secrets/kumquat ledger.txt"
Commit = DjangoCaptureOnCommitCallbacks


@pytest.fixture(autouse=True)
def model(embedder: CompassEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "get_embedder", lambda: embedder)


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    settings.STORAGE_ROOT = tmp_path / "storage"
    return tmp_path


def cells() -> Iterator[tuple[str, str]]:
    """Yield every value of every column of every table, with where it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = current_schema() order by 1, 2"
        )
        columns = cursor.fetchall()
        assert len({table for table, _ in columns}) > 20
        for table, column in columns:
            cursor.execute(f'select "{column}"::text from "{table}" where "{column}" is not null')
            yield from ((f"{table}.{column}", row[0]) for row in cursor.fetchall())


def places_of(*traces: str) -> set[str]:
    """Return the columns in which one of these can be read."""
    return {place for place, value in cells() if any(trace in value for trace in traces)}


def objects_with(root: Path, marker: bytes) -> list[Path]:
    """Return the files under the storage root that contain the marker."""
    files = (Path(at, name) for at, _, names in os.walk(root) for name in names)
    return [path for path in files if marker in path.read_bytes()]


def delete(document: Document, user: Any, commit: Commit) -> None:
    with commit(execute=True):
        deletion.delete(document, user)


def found(user: Any, question: str) -> list[str]:
    return paths(search(user, question, mode="keyword"))
