"""Walking folders of this machine."""

import os
import unicodedata
from pathlib import Path

import pytest

from documents.folders import Found, LeftOut, Refused, walk


def paths(*roots: Path) -> list[str]:
    return [entry.path for entry in walk(roots) if isinstance(entry, Found)]


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_paths_start_with_the_folder_and_are_ordered_by_name(tmp_path: Path) -> None:
    make(tmp_path / "drop", "b.txt", "a/z.txt", "a/sub/y.txt")

    assert paths(tmp_path / "drop") == ["drop/a/sub/y.txt", "drop/a/z.txt", "drop/b.txt"]


def test_single_document_is_at_its_name(tmp_path: Path) -> None:
    make(tmp_path, "only.txt")

    assert paths(tmp_path / "only.txt") == ["only.txt"]


def test_names_are_normalised(tmp_path: Path) -> None:
    make(tmp_path / "drop", unicodedata.normalize("NFD", "résumé.txt"))

    assert paths(tmp_path / "drop") == [unicodedata.normalize("NFC", "drop/résumé.txt")]


@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", "Thumbs.db", "desktop.ini", "._a.pdf", "~$report.docx"),
        *("node_modules/a.js", ".git/HEAD", "__MACOSX/a.txt", "x/__pycache__/a.pyc"),
    ],
)
def test_junk_is_left_out(tmp_path: Path, name: str) -> None:
    make(tmp_path / "drop", name, "kept.txt")

    assert paths(tmp_path / "drop") == ["drop/kept.txt"]


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    make(tmp_path / "drop", "real.txt")
    (tmp_path / "drop" / "again.txt").symlink_to(tmp_path / "drop" / "real.txt")
    (tmp_path / "drop" / "loop").symlink_to(tmp_path / "drop")
    os.mkfifo(tmp_path / "drop" / "pipe")

    entries = list(walk([tmp_path / "drop"]))

    assert [entry.path for entry in entries if isinstance(entry, Found)] == ["drop/real.txt"]
    assert len([entry for entry in entries if isinstance(entry, LeftOut)]) == 3


def test_folder_that_cannot_be_read_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "drop", "a/hidden.txt", "b.txt")
    listdir = os.listdir

    def refuse(path: Path) -> list[str]:
        if path.name == "a":
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    refused, found = walk([tmp_path / "drop"])

    assert isinstance(refused, Refused)
    assert refused.error.code == "unreadable"
    assert refused.error.detail == "drop/a cannot be read: Permission denied."
    assert isinstance(found, Found)


def test_name_that_is_no_text_is_refused_in_words_that_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / os.fsdecode(b"caf\xe9.txt")).write_text("x")

    (refused,) = walk([tmp_path / "drop"])

    assert isinstance(refused, Refused)
    assert refused.error.code == "invalid_path"
    assert refused.path == "drop/caf\\xe9.txt"
    refused.error.detail.encode()
