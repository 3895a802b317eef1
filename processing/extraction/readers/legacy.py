"""Read the Word and PowerPoint formats from before 2007, through LibreOffice."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from documents.errors import CorruptError, UnsupportedError
from processing.extraction import media_types
from processing.extraction.pages import Extraction
from processing.extraction.readers import partitioned, word
from processing.extraction.source import Source

_PROGRAMS = ("soffice", "libreoffice")
_CONVERT_SECONDS = 240


def read_doc(source: Source) -> Extraction:
    """Read a Word document of the format before 2007, where LibreOffice is installed."""
    with tempfile.TemporaryDirectory() as folder:
        return word.read(_converted(source, Path(folder), suffix="docx"))


def read_ppt(source: Source) -> Extraction:
    """Read a presentation of the format before 2007, where LibreOffice is installed."""
    with tempfile.TemporaryDirectory() as folder:
        return partitioned.read_slides(_converted(source, Path(folder), suffix="pptx"))


def _converted(source: Source, folder: Path, *, suffix: str) -> Source:
    """Convert a document with LibreOffice and return where the result is."""
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    kind = "doc" if source.media_type == media_types.DOC else "ppt"
    if program is None:
        raise UnsupportedError(
            f"Reading .{kind} files needs LibreOffice, which is not installed here.",
            program="LibreOffice",
        )
    original = folder / f"document.{kind}"
    shutil.copyfile(source.path, original)
    command = [
        *(program, "--headless", "--norestore", f"-env:UserInstallation=file://{folder}/profile"),
        *("--convert-to", suffix, "--outdir", str(folder), str(original)),
    ]
    try:
        subprocess.run(
            command,
            check=True,
            timeout=_CONVERT_SECONDS,
            capture_output=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
        )
    except (subprocess.SubprocessError, OSError) as exc:
        raise CorruptError(f"LibreOffice could not read this .{kind} file.") from exc
    result = original.with_suffix(f".{suffix}")
    if not result.exists():
        # LibreOffice ends with 0 also when it could not load the document.
        raise CorruptError(f"LibreOffice could not read this .{kind} file.")
    return replace(source, path=result)
