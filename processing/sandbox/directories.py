"""Open, and remove, what a child left on disk, however deep and however locked."""

import os
import stat
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import structlog

log = structlog.get_logger(__name__)


def open_left(path: Path, size_bytes: int) -> BinaryIO:
    """Open what a child wrote, if it is just that: a plain one of this size, without links.

    A link would have us read what only we may. Raises OSError otherwise.
    """
    # Without waiting: a pipe in its place would never be opened.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    stream = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size == size_bytes:
        return stream
    stream.close()
    raise OSError(f"{path.name} is not what it was said to be")


def remove(root: str) -> None:
    """Remove a directory with everything in it; what cannot be removed is logged and left.

    `shutil.rmtree` calls itself for each level and gives up on a tree that is a
    thousand deep. Here each directory found is first moved to the top, so that
    neither the stack nor a path grows.
    """
    try:
        _flatten(root)
    except OSError as error:
        log.warning("sandbox_directory_left", directory=root, error=str(error))


def _flatten(root: str) -> None:
    # No name in a hostile tree can be this one.
    token = uuid.uuid4().hex
    pending = [root]
    moved = 0
    while pending:
        here = pending[-1]
        found = _empty(here)
        if not found:
            # Whoever else removes the same tree may have been here first.
            with suppress(FileNotFoundError):
                os.rmdir(here)
            pending.pop()
        for path in found:
            moved += 1
            top = os.path.join(root, f"{token}-{moved}")
            with suppress(FileNotFoundError):
                os.rename(path, top)
                pending.append(top)


def _empty(directory: str) -> list[str]:
    """Unlink all but the directories in a directory; return those."""
    found: list[str] = []
    try:
        _unlock(directory)
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return found
    for entry in entries:
        with suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                _unlock(entry.path)
                found.append(entry.path)
            else:
                os.unlink(entry.path)
    return found


def _unlock(directory: str) -> None:
    # Archives unpack with their own modes; without ours a directory can be neither emptied
    # nor moved.
    os.chmod(directory, 0o700)
