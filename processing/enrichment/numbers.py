"""Numbers that carry their own proof: bank accounts, taxpayers, books and payment cards."""

import re
from collections.abc import Iterator
from functools import lru_cache

from stdnum import iban, isbn, luhn
from stdnum.ch import uid
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from processing.enrichment.mentions import Kind, Mention, whole_groups

_SPACES = " \u00a0"
_IBAN = re.compile(
    rf"[A-Z](?<![A-Za-z0-9].)[A-Z]\d{{2}}(?:[{_SPACES}]?[A-Z0-9]{{4}}){{2,7}}"
    rf"(?:[{_SPACES}]?[A-Z0-9]{{1,3}})?(?![A-Za-z0-9])"
)
_VAT = re.compile(
    r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO"
    rf"|SE|SI|SK)(?<![A-Za-z0-9]..)[{_SPACES}-]?[A-Z0-9](?:[{_SPACES}.-]?[A-Z0-9]){{6,13}}(?![A-Za-z0-9])"
)
_SWISS = re.compile(r"CHE(?<![A-Za-z0-9]CHE)[ -]?\d{3}\.?\d{3}\.?\d{3}(?!\d)")
_ISBN = re.compile(r"97[89](?<![\d-]...)(?:[ -]?\d){10}(?!-?\d)")
_SHORT_ISBN = re.compile(r"ISBN(?:-10)?:? {0,2}(\d(?:[ -]?\d){8}[ -]?[\dX])(?![\dX])")
# Not 13 digits: so has every barcode.
_CARD = re.compile(
    r"\d(?<![\w.,/-]\d)(?:\d{3}([ -])\d{4}\1\d{4}\1\d{4}|\d{3}([ -])\d{6}\2\d{5}|\d{14,15})"
    r"(?![\w-]|[.,/]\d)"
)
# https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN)
_BRANDS = (
    ("visa", re.compile(r"4\d{15}")),
    ("mastercard", re.compile(r"(?:5[1-5]|2(?:2[3-9]|[3-6]\d|7[01]))\d{14}")),
    ("amex", re.compile(r"3[47]\d{13}")),
    ("discover", re.compile(r"6(?:011|5\d\d)\d{12}")),
    ("jcb", re.compile(r"35(?:2[89]|[3-8]\d)\d{12}")),
)
_MIN_DIGITS = 7


def find_ibans(text: str, language: str = "") -> Iterator[Mention]:
    """Yield bank accounts whose check digits and length are those of their country."""
    for found in _IBAN.finditer(text):
        for written in whole_groups(found[0], _SPACES):
            if value := _iban(written):
                end = found.start() + len(written)
                yield Mention(Kind.IBAN, value, found.start(), end)
                break


@lru_cache(maxsize=4096)
def _iban(written: str) -> str:
    try:
        return str(iban.validate(written.replace("\u00a0", "")))
    except ValidationError:
        return ""


def find_vat_numbers(text: str, language: str = "") -> Iterator[Mention]:
    """Yield the numbers of taxpayers of the EU and Switzerland, with their country in front."""
    for pattern, check in ((_VAT, _eu_vat), (_SWISS, _swiss_vat)):
        for found in pattern.finditer(text):
            for written in whole_groups(found[0], _SPACES + ".-"):
                if value := check(written):
                    end = found.start() + len(written)
                    yield Mention(Kind.VAT, value, found.start(), end)
                    break


@lru_cache(maxsize=4096)
def _eu_vat(written: str) -> str:
    if sum(map(str.isdigit, written)) < _MIN_DIGITS:
        return ""
    try:
        return str(vat.validate(written.replace("\u00a0", "")))
    except ValidationError:
        return ""


@lru_cache(maxsize=4096)
def _swiss_vat(written: str) -> str:
    try:
        return str(uid.validate(written))
    except ValidationError:
        return ""


def find_isbns(text: str, language: str = "") -> Iterator[Mention]:
    """Yield the numbers of books, all with 13 digits; those of ten only after the word ISBN."""
    spans = [found.span() for found in _ISBN.finditer(text)]
    spans += [found.span(1) for found in _SHORT_ISBN.finditer(text)]
    for start, end in spans:
        if value := _isbn(text[start:end]):
            yield Mention(Kind.ISBN, value, start, end)


@lru_cache(maxsize=4096)
def _isbn(written: str) -> str:
    try:
        value = str(isbn.to_isbn13(isbn.validate(written))).replace("-", "")
    except ValidationError:
        return ""
    # What begins with 9790 is printed music.
    return "" if value.startswith("9790") else value


def find_cards(text: str, language: str = "") -> Iterator[Mention]:
    """Yield payment cards by brand and last four digits: a whole number is nobody's to keep."""
    for found in _CARD.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        brand = next((name for name, shape in _BRANDS if shape.fullmatch(digits)), "")
        if brand and luhn.is_valid(digits):
            masked = f"{brand} ****{digits[-4:]}"
            yield Mention(Kind.CARD, masked, *found.span(), shown=f"**** {digits[-4:]}")
