"""Recognise text with Tesseract, where it is installed (https://tesseract-ocr.github.io/)."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache

from documents.errors import CorruptError, ParseTimeoutError
from processing.extraction.recognition.engine import NOTHING, Recognised
from processing.extraction.recognition.lines import Line, Word, page_of
from processing.extraction.recognition.raster import Raster

# A page takes four of processor; on a machine that does much else, a minute or two on the clock.
PAGE_SECONDS = 300
_LIST_SECONDS = 10
_FALLBACK = "eng"
# What a photograph or a screenshot is taken for: its letters decide, not the number.
_USUAL_DPI = 300
# Data that is no language: it tells which way a page stands.
_ORIENTATION = "osd"
_TURN = re.compile(rb"^Rotate: (\d+)$", re.MULTILINE)
_WORD_LEVEL = "5"
_COLUMNS = 12


class Tesseract:
    """Runs the program once a page; it dies with the process that runs it."""

    name = "tesseract"

    def __init__(self, languages: Sequence[str]) -> None:
        """Read in those of the languages that are installed; in English if none is."""
        here = installed_languages()
        self._languages = [name for name in languages if name in here] or [_FALLBACK]

    def recognise(self, raster: Raster) -> Recognised:
        """Return the text in the order of Tesseract's own layout analysis.

        A page on its head, or on its side, looks like noise: only what has no text is
        asked which way it stands, which costs as much as reading it.
        """
        found = self._read(raster)
        if found is NOTHING and (turns := _turns(raster)):
            found = self._read(raster.turned(turns))
        return found

    def _read(self, raster: Raster) -> Recognised:
        # Given as a variable: the file that stands for it is packed apart by some.
        options = ("-l", "+".join(self._languages), "--psm", "3", "-c", "tessedit_create_tsv=1")
        done = _run(raster, options)
        if done.returncode:
            raise CorruptError(
                "A page could not be recognised.",
                cause=f"{done.returncode}: {done.stderr[-200:].decode(errors='replace')}",
            )
        return page_of(_lines(done.stdout.decode(errors="replace"))) if done.stdout else NOTHING


def _turns(raster: Raster) -> int:
    """Return how often the page must be turned to the left to stand; 0 when that is not seen."""
    if _ORIENTATION not in _installed():
        return 0
    # It ends with an error where it finds too little to tell.
    told = _TURN.search(_run(raster, ("--psm", "0")).stdout)
    return -int(told[1]) // 90 % 4 if told else 0


def _run(raster: Raster, options: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    command = ["tesseract", "stdin", "stdout", "--dpi", str(raster.dpi or _USUAL_DPI), *options]
    try:
        return subprocess.run(
            command, input=raster.as_pgm(), capture_output=True, timeout=PAGE_SECONDS, env=_env()
        )
    except subprocess.TimeoutExpired as exc:
        raise ParseTimeoutError(
            f"Recognising a page takes more than {PAGE_SECONDS} seconds."
        ) from exc


def installed_languages() -> tuple[str, ...]:
    """Return the languages there is data for."""
    return tuple(name for name in _installed() if name != _ORIENTATION)


@cache
def _installed() -> tuple[str, ...]:
    if shutil.which("tesseract") is None:
        return ()
    listed = subprocess.run(
        ["tesseract", "--list-langs"],
        capture_output=True,
        text=True,
        timeout=_LIST_SECONDS,
        env=_env(),
    )
    # The first line is a heading.
    return tuple(name for name in listed.stdout.split("\n")[1:] if name)


def version() -> str:
    """Return what the program calls itself, like "tesseract 5.3.0"."""
    told = subprocess.run(
        ["tesseract", "--version"], capture_output=True, text=True, timeout=_LIST_SECONDS
    )
    return (told.stdout or told.stderr).partition("\n")[0].strip()


def _env() -> dict[str, str]:
    # More threads than one make it slower when several pages are read at once.
    return {**os.environ, "OMP_THREAD_LIMIT": "1"}


def _lines(table: str) -> Iterator[Line]:
    """Yield the lines of a table as Tesseract writes it: one row a word, with its place."""
    place: tuple[str, ...] = ()
    words: list[Word] = []
    for row in table.splitlines():
        cells = row.split("\t", _COLUMNS - 1)
        if len(cells) < _COLUMNS or cells[0] != _WORD_LEVEL or not cells[-1].strip():
            continue
        if tuple(cells[1:5]) != place:
            if words:
                yield _line(place, words)
            place, words = tuple(cells[1:5]), []
        words.append(Word(cells[11].strip(), float(cells[10]) / 100))
    if words:
        yield _line(place, words)


def _line(place: tuple[str, ...], words: Sequence[Word]) -> Line:
    _, block, paragraph, _ = place
    return Line(tuple(words), int(block), int(paragraph))
