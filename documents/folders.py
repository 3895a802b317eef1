"""Walk folders of this machine the way a browser walks a dropped one.

A folder gives its name to the paths below it, so that the same folder has the
same paths whether it is dropped or ingested.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from documents import paths
from documents.errors import InvalidPathError, SluiceError, UnreadableError

# What operating systems and tools leave in folders; static/js/upload/junk.js has the same.
JUNK_FOLDERS = frozenset(
    {
        *("node_modules", ".git", ".svn", ".hg", "__macosx", "__pycache__", ".spotlight-v100"),
        *(".trashes", ".fseventsd", "$recycle.bin", "system volume information"),
    }
)
JUNK_NAMES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
# "._x" is the resource fork of x, "~$x" the lock that Office leaves beside an open x.
JUNK_PREFIXES = ("._", "~$")


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes that can become a document: where they are, and at which path they go."""

    source: Path
    path: str
    size: int
    changed_ns: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Something at this path that cannot become a document, and why."""

    path: str
    error: SluiceError


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something nobody means to add: junk, a link, a device."""

    path: str


Entry = Found | Refused | LeftOut


def walk(roots: Sequence[Path]) -> Iterator[Entry]:
    """Yield what is at and below the roots, one folder in memory at a time, by name.

    Links are not followed, except a root that is one. What vanishes or cannot be
    read is told as Refused, and the walk goes on.
    """
    for root in roots:
        yield from _visit(Path(os.path.realpath(root)), "")


def is_junk_folder(name: str) -> bool:
    """Tell whether a folder of this name holds nothing anybody would search."""
    return name.lower() in JUNK_FOLDERS


def is_junk_name(name: str) -> bool:
    """Tell whether a system or a program left this beside the documents."""
    return name.lower() in JUNK_NAMES or name.startswith(JUNK_PREFIXES)


def _visit(source: Path, parent: str) -> Iterator[Entry]:
    path = f"{parent}/{source.name}" if parent else source.name
    try:
        found = source.lstat()
        if stat.S_ISDIR(found.st_mode):
            yield from _descend(source, path)
        elif stat.S_ISREG(found.st_mode) and not is_junk_name(source.name):
            yield Found(source, paths.normalise(path), found.st_size, found.st_mtime_ns)
        else:
            yield LeftOut(shown(path))
    except InvalidPathError as error:
        yield Refused(shown(path), error)
    except OSError as error:
        yield Refused(shown(path), unreadable(path, error))


def _descend(folder: Path, path: str) -> Iterator[Entry]:
    if is_junk_folder(folder.name):
        yield LeftOut(shown(path))
        return
    for name in sorted(os.listdir(folder)):
        yield from _visit(folder / name, path)


def unreadable(path: str, error: OSError) -> UnreadableError:
    """Say why the machine would not give the bytes at `path`."""
    return UnreadableError(f"{shown(path)} cannot be read: {error.strerror or error}.")


def shown(path: str) -> str:
    """Return the path as text that every terminal and every JSON can carry."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
