"""Phone numbers: those with a country code, and those that the language places in a country."""

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from processing.enrichment.mentions import Kind, Mention, whole_groups

# Whose numbers a text in this language has, when they bear no country code.
_REGIONS = {
    "de": "DE",
    "fr": "FR",
    "es": "ES",
    "it": "IT",
    "nl": "NL",
    "pt": "PT",
    "pl": "PL",
    "sv": "SE",
    "da": "DK",
    "fi": "FI",
    "nb": "NO",
    "no": "NO",
    "cs": "CZ",
    "en": "GB",
}
_SPACES = " \u00a0"
_MARKS = f"{_SPACES}./()–-"
_NUMBER = re.compile(rf"[+(\d](?<![\w.,/+@=#-].)\+?(?:[{_MARKS}]{{0,3}}\d){{6,15}}(?!\w)")
_AMERICAN = re.compile(r"\(?[2-9]\d\d\)?[ .-]{1,2}[2-9]\d\d[ .-]\d{4}")
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
_WORD = re.compile(r"[^\W\d_]+|[#№☎]")
# Beginnings of words, in several languages.
_PHONE_WORDS = (
    *("tel", "tél", "phon", "fon", "fax", "mob", "cell", "handy", "ruf", "call", "hotline", "☎"),
    *("portable", "whatsapp", "durchwahl", "anruf", "appel", "sms", "gsm", "fest"),
)
_OTHER_WORDS = (
    *("order", "invoice", "ref", "no", "nr", "num", "nummer", "id", "sku", "part", "serial"),
    *("account", "customer", "article", "case", "ticket", "bestell", "rechnung", "kunden"),
    *("auftrag", "artikel", "konto", "vorgang", "akten", "aktenzeichen", "az", "commande"),
    *("facture", "client", "compte", "dossier", "siret", "siren", "tracking", "sendung", "isbn"),
    *("issn", "ean", "gtin", "iban", "blz", "bic", "version", "pages", "seiten", "#", "№"),
)
_LOOKED_BACK = 28


def find_phones(text: str, language: str = "") -> Iterator[Mention]:
    """Yield phone numbers as E.164; one without a country code only where it looks like one."""
    for found in _NUMBER.finditer(text):
        written = found[0]
        if not _may_be_one(written, language, text, found.start()):
            continue
        region = "US" if _AMERICAN.match(written) else _REGIONS.get(language, "")
        for shorter in whole_groups(written, _SPACES):
            if value := _e164(shorter, region):
                yield Mention(Kind.PHONE, value, found.start(), found.start() + len(shorter))
                break


def _may_be_one(written: str, language: str, text: str, start: int) -> bool:
    """Tell by its shape and the words before it whether a number is worth a look."""
    if written.startswith(("+", "(+")):
        return True
    words = [
        word.lower() for word in _WORD.findall(text[max(0, start - _LOOKED_BACK) : start])[-2:]
    ]
    is_called_phone = any(word.startswith(_PHONE_WORDS) for word in words)
    if not is_called_phone and any(word.startswith(_OTHER_WORDS) for word in words):
        return False
    if _DATE.match(written):
        return False
    if _AMERICAN.match(written):
        return language == "en" or (not language and written.startswith("("))
    if not (is_called_phone or any(mark in written for mark in _MARKS)):
        return False
    return written.startswith(("0", "(0"))


@lru_cache(maxsize=4096)
def _e164(written: str, region: str) -> str:
    given = f"+{written[2:]}" if written.startswith("00") else written
    if not region and not given.lstrip("(").startswith("+"):
        return ""
    try:
        number = phonenumbers.parse(given, region or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
