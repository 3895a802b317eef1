"""Draw a card for documents that have no picture of their own: title, first lines, type."""

import textwrap
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from processing.previews import raster

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

    from processing.previews.raster import Image

WIDTH, HEIGHT = 240, 320
_MARGIN = 18
_TITLE_SIZE, _TEXT_SIZE, _LABEL_SIZE = 17, 11, 12
_TITLE_LINES, _TITLE_CHARACTERS = 3, 23
_TEXT_CHARACTERS = 37
_TITLE_STEP, _TEXT_STEP = 22, 15
_PAPER, _INK, _FAINT = (255, 255, 255), (29, 33, 41), (112, 119, 130)
_BAR, _EDGE, _TINT = (214, 218, 224), (225, 228, 233), (241, 243, 246)
_FOOT = 34


@dataclass(frozen=True, slots=True)
class Words:
    """What a card says."""

    title: str
    text: str
    label: str


def draw(words: Words) -> "Image":
    """Return the card, 240 pixels wide and 320 high."""
    from PIL import Image, ImageDraw

    paper = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    pen = ImageDraw.Draw(paper)
    pen.rectangle((0, HEIGHT - _FOOT, WIDTH, HEIGHT), fill=_TINT)
    pen.line((0, HEIGHT - _FOOT, WIDTH, HEIGHT - _FOOT), fill=_EDGE)
    top = _MARGIN
    title = _lines(words.title, _TITLE_CHARACTERS)
    for line in title[:_TITLE_LINES]:
        _write(pen, line, top, _TITLE_SIZE, _INK)
        top += _TITLE_STEP
    top += _TITLE_STEP // 2
    for line in _lines(words.text, _TEXT_CHARACTERS):
        if top + _TEXT_STEP > HEIGHT - _FOOT - _MARGIN // 2:
            break
        _write(pen, line, top, _TEXT_SIZE, _FAINT)
        top += _TEXT_STEP
    _write(pen, words.label, HEIGHT - _FOOT + 10, _LABEL_SIZE, _FAINT)
    return raster.from_pixels(np.asarray(paper, np.uint8))


def _lines(text: str, characters: int) -> list[str]:
    return [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(paragraph, characters, break_long_words=True)
    ]


def _write(pen: Any, line: str, top: int, size: int, ink: tuple[int, int, int]) -> None:
    """Write a line; where the font lacks a letter of it, draw its length instead."""
    room = WIDTH - 2 * _MARGIN
    if not _can_write(line):
        length = min(room, len(line) * size * 2 // 3)
        pen.rectangle((_MARGIN, top + size // 3, _MARGIN + length, top + size - 1), fill=_BAR)
        return
    font = _font(size)
    while line and pen.textlength(line, font=font) > room:
        line = line[:-1]
    pen.text((_MARGIN, top), line, font=font, fill=ink)


@cache
def _font(size: int) -> "FreeTypeFont":
    """Return the font that comes with Pillow: the same on every machine."""
    from PIL import ImageFont
    from PIL.ImageFont import FreeTypeFont

    font = ImageFont.load_default(size)
    if not isinstance(font, FreeTypeFont):
        raise TypeError("Pillow was built without FreeType.")
    return font


def _can_write(line: str) -> bool:
    return all(character.isspace() or _has(character) for character in set(line))


@cache
def _has(character: str) -> bool:
    """Return whether the font draws this letter, and not the box that stands for none."""
    font = _font(_TEXT_SIZE)
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))
