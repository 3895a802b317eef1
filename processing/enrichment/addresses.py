"""Addresses on the net: e-mail, web, and the identifiers of publications (DOI)."""

import re
import string
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from processing.enrichment.mentions import Kind, Mention

MAX_VALUE = 500
# RFC 5321, 4.5.3.1.1.
MAX_LOCAL = 64

_LOCAL = string.ascii_letters + string.digits + "._%+-&'"
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,40})(?![\w-]|:\w)"
)
# logo@2x.png is the name of a picture.
_SUFFIXES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "html", "py"})
_URL = re.compile(r"[hHwW](?<![\w@.-].)(?i:ttps?://|ww\.)[^\s<>\"“”„«»\\^`{|}]{4,2000}")
_HOST = re.compile(r"(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}|(?:\d{1,3}\.){3}\d{1,3}")
_DOI = re.compile(r"10\.(?<![\w.]10\.)\d{4,9}/[^\s\"<>]{3,200}")
_CLOSING = {")": "(", "]": "[", "}": "{"}
_AFTER = ".,;:!?'’‘*_~…"


def find_emails(text: str, language: str = "") -> Iterator[Mention]:
    """Yield e-mail addresses, without asking whether their domain exists."""
    at = text.find("@")
    while at >= 0:
        local = _local_before(text, at)
        domain = _DOMAIN.match(text, at + 1) if local else None
        if domain and (value := _email(f"{local}@{domain[0]}")):
            yield Mention(Kind.EMAIL, value, at - len(local), domain.end())
        at = text.find("@", at + 1)


def _local_before(text: str, at: int) -> str:
    """Return what stands before the @ and can belong to an address; nothing if only a part can."""
    before = text[max(0, at - MAX_LOCAL - 1) : at]
    if "://" in before.rpartition(" ")[2]:
        return ""  # A web address, perhaps with a password.
    local = before[len(before.rstrip(_LOCAL)) :].lstrip(".-'&%")
    start = at - len(local)
    is_part = start > 0 and text[start - 1].isalnum()
    return "" if is_part or len(local) > MAX_LOCAL else local


@lru_cache(maxsize=4096)
def _email(written: str) -> str:
    if written.rpartition(".")[2].lower() in _SUFFIXES:
        return ""
    try:
        # Names within a company, such as mail.corp.local, are addresses too.
        found = validate_email(written, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return ""
    return found.normalized.lower()


def find_urls(text: str, language: str = "") -> Iterator[Mention]:
    """Yield web addresses; those with a password in them, or of an endless length, are left out."""
    for found in _URL.finditer(text):
        written = _without_closing(found[0])
        if value := _url(written):
            yield Mention(Kind.URL, value, found.start(), found.start() + len(written))


def _url(written: str) -> str:
    """Return the address as it is compared: without its fragment, with a scheme."""
    given = written if "://" in written else f"https://{written}"
    try:
        parts = urlsplit(given)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.username or not _HOST.fullmatch(host):
        return ""
    path = parts.path if parts.path != "/" else ""
    asked = f"?{parts.query}" if parts.query else ""
    value = f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}{asked}"
    return value if len(value) <= MAX_VALUE else ""


def find_dois(text: str, language: str = "") -> Iterator[Mention]:
    """Yield the identifiers of publications, which are compared without regard to case."""
    for found in _DOI.finditer(text):
        written = _without_closing(found[0])
        if written.count("/") and any(map(str.isalnum, written.partition("/")[2])):
            yield Mention(Kind.DOI, written.lower(), found.start(), found.start() + len(written))


def _without_closing(written: str) -> str:
    """Take away the punctuation of the sentence that an address stands in."""
    while written:
        last = written[-1]
        opening = _CLOSING.get(last)
        if last in _AFTER:
            written = written.rstrip(_AFTER)
        elif opening and written.count(opening) < written.count(last):
            written = written[:-1]
        else:
            break
    return written
