"""Write the value of a cell as its format shows it (ECMA-376, 18.8.30 and 18.8.31).

Without separators of thousands, so that a figure is one word to search for; dates whose
order depends on who looks are written as ISO 8601.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

# Dates in the order of whoever opens the workbook: built-in formats 14 and 22.
_OF_THE_READER = frozenset({"mm-dd-yy", "m/d/yy", "m/d/yy h:mm", "general", "@", ""})
_QUOTED = re.compile(r'"([^"]*)"|\\(.)|_.|\*.')
_BRACKETS = re.compile(r"\[(?:\$([^\]-]*)(?:-[^\]]*)?|[^\]]*)\]")
_DIGITS = re.compile(r"[#0?][#0?,]*(?:\.([#0?]*))?")
# Exponents, fractions, the word "General", and what else is not spelled out here.
_LETTERS = re.compile(r"[A-Za-z@]")
_DATE_TOKENS = re.compile(r"am/pm|a/p|y+|m+|d+|h+|s+(?:\.0+)?|[^ymdhsa]+|a", re.IGNORECASE)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def number(value: float, code: str) -> str:
    """Write a number: its decimals, its percent or currency sign, its unit."""
    section, is_signed = _section(code, value)
    shape = _shape(section)
    if shape is None:
        return str(value) if isinstance(value, int) else f"{value:.15g}"
    shown = value * 100 if "%" in section else value
    figures = f"{shown if is_signed else abs(shown):.{shape.decimals}f}"
    is_blank = not shape.has_figures or (shape.is_optional and not shown)
    return f"{shape.before}{'' if is_blank else figures}{shape.after}".strip()


def moment(value: datetime | date | time | timedelta, code: str) -> str:
    """Write a date, a time or a duration."""
    if isinstance(value, timedelta):
        return _duration(value)
    tokens = _date_tokens(code)
    if not tokens or isinstance(value, time):
        return _iso(value)
    at = value if isinstance(value, datetime) else datetime.combine(value, time())
    is_half = any(token.lower() in ("am/pm", "a/p") for token in tokens)
    written = [_date_token(tokens, i, at, is_half=is_half) for i in range(len(tokens))]
    return " ".join("".join(written).split())


def _iso(value: date | time) -> str:
    if isinstance(value, datetime):
        is_day = value.time() == time()
        return value.date().isoformat() if is_day else value.isoformat(sep=" ")
    return value.isoformat()


def _duration(value: timedelta) -> str:
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _section(code: str, value: float) -> tuple[str, bool]:
    """Return the part of a format that is for this value, and whether it needs a sign."""
    sections = code.split(";")
    if value < 0 and len(sections) > 1:
        return sections[1], False
    if value == 0 and len(sections) > 2:
        return sections[2], True
    return sections[0], True


@dataclass(frozen=True, slots=True)
class _Shape:
    """What stands around the figures, and how many decimals; `is_optional` hides a zero."""

    before: str
    after: str
    decimals: int
    has_figures: bool
    is_optional: bool


@lru_cache(maxsize=1000)
def _shape(section: str) -> _Shape | None:
    """Return how a section writes a number; None if in no way that is known here."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[1] or found[2] or "")
        return "\0" if kept[-1] else kept.pop()

    code = _BRACKETS.sub(lambda found: f'"{found[1]}"' if found[1] else "", section)
    code = _QUOTED.sub(keep, code)
    digits = _DIGITS.search(code)
    if digits is None and (not kept or _LETTERS.search(code)):
        return None
    if _LETTERS.search(code) or "/" in code or (digits and digits[0].endswith(",")):
        return None
    start, end = digits.span() if digits else (len(code), len(code))
    rest = iter(kept)
    before, after = (
        re.sub("\0", lambda _: next(rest), part) for part in (code[:start], code[end:])
    )
    decimals = len((digits and digits[1]) or "")
    is_optional = digits is not None and "0" not in digits[0] and "#" not in digits[0]
    return _Shape(before, after, decimals, digits is not None, is_optional)


@lru_cache(maxsize=1000)
def _date_tokens(code: str) -> tuple[str, ...]:
    first = code.split(";")[0]
    if first.lower() in _OF_THE_READER or first.lower().startswith("[$-f"):
        return ()
    bare = _BRACKETS.sub("", first)
    bare = re.sub(r'"([^"]*)"|_.|\*.|\\(.)', lambda m: m[1] or m[2] or "", bare)
    # A text that stands in the format would be taken for one of its letters.
    if re.search(r"[A-Za-z]", re.sub(r"am/pm|a/p|[ymdhs]+", "", bare, flags=re.IGNORECASE)):
        return ()
    return tuple(_DATE_TOKENS.findall(bare))


def _date_token(tokens: tuple[str, ...], index: int, at: datetime, *, is_half: bool) -> str:
    token = tokens[index].lower()
    if token[0] == "m" and _is_minute(tokens, index):
        return f"{at.minute:0{min(len(token), 2)}}"
    hour = (at.hour % 12 or 12) if is_half else at.hour
    written = {
        "y": f"{at.year:04}" if len(token) > 2 else f"{at.year % 100:02}",
        "m": _named(token, at.month, _MONTHS[at.month - 1]),
        "d": _named(token, at.day, _DAYS[at.weekday()]),
        "h": f"{hour:0{min(len(token), 2)}}",
        "s": f"{at.second:0{min(len(token.partition('.')[0]), 2)}}",
    }
    if token in ("am/pm", "a/p"):
        return "AM" if at.hour < 12 else "PM"
    return written.get(token[0], tokens[index])


def _named(token: str, value: int, name: str) -> str:
    if len(token) < 3:
        return f"{value:0{len(token)}}"
    return name[:3] if len(token) == 3 else name


def _is_minute(tokens: tuple[str, ...], index: int) -> bool:
    """Whether an "m" stands for minutes: after hours or before seconds."""
    letters = [(i, token[0].lower()) for i, token in enumerate(tokens) if token[0].isalpha()]
    places = [i for i, _ in letters]
    at = places.index(index)
    before = letters[at - 1][1] if at else ""
    after = letters[at + 1][1] if at + 1 < len(letters) else ""
    return before == "h" or after == "s"
