"""Have LibreOffice convert Office documents, where it is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil

from processing.extraction import media_types as types

_NAMES = ("soffice", "libreoffice")
_SUFFIXES = {
    **{media_type: suffix for suffix, media_type in types.OOXML_SUFFIXES.items()},
    types.ODT: ".odt",
    types.ODS: ".ods",
    types.ODP: ".odp",
    types.DOC: ".doc",
    types.PPT: ".ppt",
    types.XLS: ".xls",
    types.RTF: ".rtf",
}


def program() -> str | None:
    """Return where LibreOffice is, if it is on `PATH`."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def can_convert(media_type: str) -> bool:
    """Return whether documents of this type are converted here."""
    return media_type in _SUFFIXES and program() is not None


def converted(
    path: Path, media_type: str, wanted: str, folder: Path, *, seconds: float
) -> Path | None:
    """Return the document in the format with the suffix `wanted`, such as "pdf", in a folder.

    None where there is no program, or it fails, or takes longer. Each call has a profile of
    its own, in the folder: two with the same one wait for each other.
    """
    executable, suffix = program(), _SUFFIXES.get(media_type)
    if executable is None or suffix is None:
        return None
    source = folder / f"original{suffix}"
    shutil.copyfile(path, source)
    command = [
        *(
            executable,
            "--headless",
            "--norestore",
            f"-env:UserInstallation=file://{folder}/profile",
        ),
        *("--convert-to", wanted, "--outdir", str(folder), str(source)),
    ]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
    try:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)
    # It ends with 0 also when it could not load the document.
    result = source.with_suffix(f".{wanted}")
    return result if result.is_file() else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what was started with everything it started: the program is a script around another."""
    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    process.kill()
    process.wait()
    for child in started:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
