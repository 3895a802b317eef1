"""How states look to people: a word and a tone each, and a drawing for each kind of document.

`static/js/statuses.js` and `static/js/kinds.js` say the same to the browser; a
test holds the two together.
"""

from dataclasses import dataclass
from typing import Any, Literal

from documents.states import Status
from processing.enrichment import Kind
from processing.models import RunState, StageName

Tone = Literal["wait", "work", "ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Look:
    """What a state shows: its word, its tone, and its icon where it has one."""

    label: str
    tone: Tone
    icon: str = "ring"


STATUS_LOOKS: dict[str, Look] = {
    Status.AWAITING: Look("Waiting for its bytes", "wait"),
    Status.UPLOADED: Look("In the queue", "wait"),
    Status.PROCESSING: Look("Processing", "work"),
    Status.READY: Look("Searchable", "ok"),
    Status.PARTIAL: Look("Searchable in part", "warn"),
    Status.FAILED: Look("Failed", "bad"),
    Status.DUPLICATE: Look("Duplicate", "ok"),
    Status.REJECTED: Look("Rejected", "bad"),
    Status.CANCELLED: Look("Cancelled", "wait"),
    Status.EXPIRED: Look("Expired", "warn"),
}
RUN_LOOKS: dict[str, Look] = {
    RunState.BLOCKED: Look("Waits for the stage before", "wait", "ring"),
    RunState.READY: Look("In the queue", "wait", "clock"),
    RunState.LEASED: Look("Running", "work", "work"),
    RunState.DONE: Look("Done", "ok", "check-circle"),
    RunState.DEAD: Look("Failed", "bad", "alert"),
    RunState.SKIPPED: Look("Skipped", "wait", "skip"),
    RunState.CANCELLED: Look("Cancelled", "wait", "skip"),
}
STAGE_LABELS: dict[str, str] = {
    StageName.VERIFY: "Verify the bytes",
    StageName.EXTRACT: "Read the text",
    StageName.PREVIEW: "Draw a preview",
    StageName.EMBED: "Learn the meaning",
    StageName.ENRICH: "Find what it mentions",
    StageName.LOOK: "Look at the picture",
}

ENTITY_LABELS: dict[str, str] = {
    Kind.PERSON: "People",
    Kind.ORGANISATION: "Organisations",
    Kind.PLACE: "Places",
    Kind.DATE: "Days",
    Kind.MONEY: "Amounts",
    Kind.EMAIL: "E-mail",
    Kind.PHONE: "Phone",
    Kind.URL: "Web",
    Kind.IBAN: "Bank accounts",
    Kind.VAT: "VAT numbers",
    Kind.CARD: "Payment cards",
    Kind.ISBN: "Books (ISBN)",
    Kind.DOI: "Papers (DOI)",
}

# The groups of states that lists can be narrowed to.
SHOWS: dict[str, tuple[Status, ...]] = {
    "working": (Status.AWAITING, Status.UPLOADED, Status.PROCESSING),
    "searchable": (Status.READY, Status.PARTIAL, Status.DUPLICATE),
    "trouble": (Status.FAILED, Status.REJECTED, Status.PARTIAL, Status.EXPIRED),
    "cancelled": (Status.CANCELLED,),
}

KINDS: dict[str, tuple[str, ...]] = {
    "pdf": ("pdf",),
    "sheet": ("xls", "xlsx", "csv", "tsv", "ods"),
    "slides": ("ppt", "pptx", "odp"),
    "mail": ("eml", "msg"),
    "image": ("png", "jpg", "jpeg", "webp", "tiff", "tif", "gif", "heic", "bmp", "svg"),
    "web": ("html", "htm", "xml"),
    "code": (
        *("py", "js", "ts", "java", "c", "go", "rs"),
        *("json", "ndjson", "yaml", "yml", "toml", "sql"),
    ),
    "book": ("epub",),
    "archive": ("zip", "tar", "gz"),
    "text": ("doc", "docx", "odt", "rtf", "txt", "md", "rst", "org"),
}
_KIND_OF = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes}


def kind_of(path: str) -> str:
    """Return which drawing stands for the document at `path`."""
    return _KIND_OF.get(path.rsplit(".", 1)[-1].lower(), "other")


def range_sentence(eta_seconds: list[int] | None) -> str:
    """Return the estimate as a person says it: always a range, or that there is none."""
    if not eta_seconds:
        return "No estimate yet"
    (low, low_unit), (high, high_unit) = map(_rounded, eta_seconds)
    if (low, low_unit) == (high, high_unit):
        return f"About {_plural(high, high_unit)} left"
    if low_unit == high_unit:
        return f"{low}–{_plural(high, high_unit)} left"
    return f"{_plural(low, low_unit)} to {_plural(high, high_unit)} left"


def gap_sentence(progress: dict[str, Any]) -> str:
    """Return how many documents still wait for their bytes, or nothing when none does.

    What expired waited for too long; the same folder brings it too.
    """
    gaps = progress["counts"]["awaiting"] + progress["counts"]["expired"]
    if not gaps:
        return ""
    verb = "is waiting for its bytes" if gaps == 1 else "are waiting for their bytes"
    return f"{gaps:,} of {progress['total']:,} {verb}."


def _rounded(seconds: float) -> tuple[int, str]:
    if seconds < 55:
        return max(5, -(-int(seconds) // 5) * 5), "second"
    if seconds < 55 * 60:
        return max(1, round(seconds / 60)), "minute"
    return max(1, round(seconds / 3600)), "hour"


def _plural(n: int, unit: str) -> str:
    return f"{n} {unit}" if n == 1 else f"{n} {unit}s"
