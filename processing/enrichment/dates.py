"""Days of the calendar, written out or in figures whose order is beyond doubt."""

import re
from collections.abc import Iterator
from datetime import date

from processing.enrichment.mentions import Kind, Mention

# Where figures are written day.month.year; elsewhere a version number may look the same.
DOTTED = frozenset(
    {"de", "cs", "da", "et", "fi", "hr", "lv", "nb", "no", "pl", "ro", "ru", "sk", "sl"}
)
DAY_FIRST = DOTTED | {"ca", "el", "es", "fr", "it", "nl", "pt", "tr", "uk", "vi"}
_YEARS = range(1800, 2100)
_YEARS_IN_WORDS = range(1000, 2200)

# By month, in English, German, French, Spanish, Italian, Portuguese, Dutch and Swedish; no name
# means two months.
_NAMES = """
january jan januar jänner janvier janv enero ene gennaio gen janeiro januari
february feb februar feber février févr febrero febbraio fevereiro fev februari
march mar märz mär maerz mars marzo março maart mrt
april apr avril avr abril abr aprile
may mai mayo maggio mag maio mei maj
june jun juni juin junio giugno giu junho
july jul juli juillet juil julio luglio lug julho
august aug août agosto ago augustus augusti
september sep sept septembre septiembre settembre set setembro
october oct oktober okt octobre octubre ottobre ott outubro out
november nov novembre noviembre novembro
december dec dezember dez décembre déc diciembre dic dicembre dezembro
"""
_MONTHS = {
    name: number
    for number, names in enumerate(_NAMES.split("\n")[1:13], start=1)
    for name in names.split()
}
_ANY_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_SPACE = r"[ \u00a0\n]"

_ISO = re.compile(r"(\d(?<![\d./-]\d)\d{3})([-/])(\d{2})\2(\d{2})(?!\d|[-/.]\d)")
_FIGURES = re.compile(
    r"(\d(?<![\w./-]\d)\d?)(?:(\.)[ \u00a0]?(\d{1,2})\.[ \u00a0]?|/(\d{1,2})/)(\d{4})(?!\d|[./-]\d)"
)
_DAY_FIRST = re.compile(
    rf"(\d(?<![\w.,/]\d)\d?)(?:st|nd|rd|th|er|[.ºª])?{_SPACE}(?i:of |de )?((?i:{_ANY_MONTH}))\b"
    rf"\.?,?{_SPACE}(?i:del? )?(\d{{4}})(?![\d/]|[.,]\d)"
)
_MONTH_FIRST = re.compile(
    r"([JFMASOND](?<!\w.)(?:an(?:uary)?|eb(?:ruary)?|ar(?:ch)?|pr(?:il)?|ay|une?|uly?|ug(?:ust)?"
    rf"|ept?(?:ember)?|ct(?:ober)?|ov(?:ember)?|ec(?:ember)?))\b\.?{_SPACE}"
    rf"(\d{{1,2}})(?:st|nd|rd|th)?,?{_SPACE}(\d{{4}})(?![\d/]|[.,]\d)"
)


def find_dates(text: str, language: str = "") -> Iterator[Mention]:
    """Yield days as ISO 8601; a day in figures only where the language says what comes first."""
    for found in _ISO.finditer(text):
        yield from _day(found, found[1], found[3], found[4])
    for found in _FIGURES.finditer(text):
        yield from _in_figures(found, language)
    for found in _DAY_FIRST.finditer(text):
        month = str(_MONTHS[found[2].lower()])
        yield from _day(found, found[3], month, found[1], _YEARS_IN_WORDS)
    for found in _MONTH_FIRST.finditer(text):
        month = str(_MONTHS.get(found[1].lower(), 0))
        yield from _day(found, found[3], month, found[2], _YEARS_IN_WORDS)


def _in_figures(found: re.Match[str], language: str) -> Iterator[Mention]:
    first, second, year = found[1], found[3] or found[4], found[5]
    if found[2]:
        # Everybody who writes dots writes the day first; 1.2.2024 is a version to the others.
        if language in DOTTED or len(first) == len(second) == 2:
            yield from _day(found, year, second, first)
    elif language in DAY_FIRST or int(first) > 12 or first == second:
        yield from _day(found, year, second, first)
    elif int(second) > 12:
        yield from _day(found, year, first, second)


def _day(
    found: re.Match[str], year: str, month: str, day: str, years: range = _YEARS
) -> Iterator[Mention]:
    if int(year) not in years:
        return
    try:
        value = date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return
    yield Mention(Kind.DATE, value, *found.span())
