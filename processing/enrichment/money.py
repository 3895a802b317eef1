"""Amounts of money: a number with a currency beside it, in the notation of its language."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache, lru_cache

from processing.enrichment.mentions import Kind, Mention

# What one sign can mean is what it mostly means; kr and Fr. mean too many things.
_SIGNS = {
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "₽": "RUB",
    "₺": "TRY",
    "₩": "KRW",
    "₪": "ILS",
    "₴": "UAH",
    "US$": "USD",
    "CA$": "CAD",
    "C$": "CAD",
    "A$": "AUD",
    "AU$": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "R$": "BRL",
    "S$": "SGD",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
}
# ISO 4217, without those that are words when written in capitals (ALL, TOP, TRY, CUP).
_CODES = frozenset(
    (
        *("AED", "AUD", "BGN", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD"),
        *("HUF", "ILS", "INR", "ISK", "JPY", "KRW", "MXN", "NOK", "NZD", "PLN", "RON", "RUB"),
        *("SEK", "SGD", "THB", "UAH", "USD", "ZAR"),
    )
)
_WORDS = {"euro": "EUR", "euros": "EUR", "dollar": "USD", "dollars": "USD"}
_SIGNS_BEHIND = ("€", "$", "£", "¥", "₹", "₽", "₺", "₪", "₴", "zł", "Kč", "Ft")
_SCALES = {
    **dict.fromkeys(("k", "tsd", "tausend", "thousand"), 3),
    **dict.fromkeys(("m", "mn", "mio", "million", "millions", "millionen", "millones"), 6),
    **dict.fromkeys(("bn", "mrd", "md", "milliard", "milliards", "milliarde", "milliarden"), 9),
    "billion": 9,
    "billions": 9,
    "billionen": 12,
}
# Where 1.500 is fifteen hundred.
_DECIMAL_POINT = frozenset({"en", "he", "ja", "ko", "th", "zh"})
# Where a plain space parts thousands.
_SPACED = frozenset(
    {"bg", "cs", "et", "fi", "fr", "hu", "lv", "nb", "no", "pl", "ru", "sk", "sv", "uk"}
)
MAX_DIGITS = 14

_NARROW = "\u00a0\u202f\u2009"
_GAP = f"[ {_NARROW}]?"
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
_BEFORE = "|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True)))
_BEHIND = "|".join(map(re.escape, (*_SIGNS_BEHIND, *sorted(_CODES))))


@cache
def _patterns(is_spaced: bool) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what a currency in front and a currency behind look like."""
    parting = rf".,'’{_NARROW}{' ' if is_spaced else ''}"
    digits = (
        rf"(?:\d{{0,2}}(?:[{parting}]\d{{3}}){{1,4}}(?:[.,]\d{{1,2}})?"
        rf"|\d{{0,{MAX_DIGITS}}}(?:[.,]\d{{1,3}})?)"
    )
    scale = rf"(?:{_GAP}-?(?i:({_SCALE}))\b\.?)?"
    in_front = re.compile(
        rf"(?<![\w$€£])({_BEFORE}|(?:{'|'.join(sorted(_CODES))})(?=[ {_NARROW}\d]))"
        rf"{_GAP}(\d{digits})(?![\d%]|[.,'’]\d){scale}"
    )
    behind = re.compile(
        rf"(\d(?<![\w.,'’/]\d)(?<!\d \d){digits}){scale}(?:,[-–—]{{1,2}})?{_GAP}(?i:d['’]|de )?"
        rf"({_BEHIND}|(?i:euros?|dollars?))(?!\w)"
    )
    return in_front, behind


def find_money(text: str, language: str = "") -> Iterator[Mention]:
    """Yield amounts as their ISO code and number; who knows how 1,500 is meant, the language does.

    A currency between two numbers belongs to the one that the language has it at.
    """
    in_front, behind = _patterns(language in _SPACED)
    found = [
        *((match, match[1], match[2], match[3]) for match in in_front.finditer(text)),
        *((match, match[3], match[1], match[2]) for match in behind.finditer(text)),
    ]
    if language and language not in _DECIMAL_POINT:
        found.reverse()
    for match, currency, number, scale in found:
        value = _value(currency, number, scale or "", language)
        yield Mention(Kind.MONEY, value, *match.span())


@lru_cache(maxsize=4096)
def _value(currency: str, number: str, scale: str, language: str) -> str:
    code = _SIGNS.get(currency) or _WORDS.get(currency.lower()) or currency
    amount = _number(number, language).scaleb(_power(scale, language))
    # Two decimals, or as many as were written.
    decimals = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"{code} {amount:.{decimals}f}"


def _number(written: str, language: str) -> Decimal:
    """Return the number; a single point or comma parts thousands or decimals by its language."""
    compact = re.sub(rf"['’ {_NARROW}]", "", written)
    last = max(compact.rfind("."), compact.rfind(","))
    if last < 0:
        return Decimal(compact)
    mark = compact[last]
    has_both = "." in compact and "," in compact
    is_decimal_mark = bool(language) and (mark == ".") == (language in _DECIMAL_POINT)
    is_thousands = compact.count(mark) > 1 or (
        not has_both
        and len(compact) - last == 4
        and not is_decimal_mark
        and not compact.startswith("0")
    )
    if is_thousands:
        return Decimal(re.sub("[.,]", "", compact))
    return Decimal(f"{re.sub('[.,]', '', compact[:last])}.{compact[last + 1 :]}")


def _power(scale: str, language: str) -> int:
    """Return the power of ten that a word stands for: a billion is less in English."""
    if not scale:
        return 0
    if scale.lower() in ("billion", "billions") and language not in ("", "en"):
        return 12
    return _SCALES[scale.lower()]
