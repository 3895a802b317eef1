"""Names in the file system: made so that they survive a power cut, and looked at."""

import os
from collections.abc import Iterable
from pathlib import Path


def publish(path: Path, final: Path) -> bool:
    """Give the file its final name and return True, or False if the name is taken."""
    make_directory(final.parent)
    try:
        os.link(path, final)
    except FileExistsError:
        return False
    sync_directory(final.parent)
    return True


def make_directory(path: Path) -> None:
    """Create the directory and those above it so that they survive a power cut."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Have the names in the directory on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def children(directory: Path) -> Iterable[Path]:
    """Return what is in the directory, if there is one."""
    return directory.iterdir() if directory.is_dir() else ()


def is_older(path: Path, than: float) -> bool:
    """Tell whether nothing was named or changed at the path since `than`, in Unix seconds."""
    try:
        # Not the modification time, which a second name shares with its object:
        # giving a file another name changes only this one.
        return path.stat().st_ctime < than
    except FileNotFoundError:
        return False
