"""Keyset pages: stable under inserts, and as fast on the last page as on the first."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from documents.errors import InvalidError

MAX_LIMIT = 500
DEFAULT_LIMIT = 100
# What a made-up cursor makes the readers below raise, however deeply it is nested.
_NOT_OURS = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
    ValidationError,
)
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor of those after them."""

    rows: list[Row]
    next: str | None


def paginate(
    queryset: QuerySet[Row], order: tuple[str, ...], *, cursor: str = "", limit: int = DEFAULT_LIMIT
) -> Page[Row]:
    """Return the page after `cursor`; `order` names fields, "-" for descending, last one unique."""
    limit = max(1, min(limit, MAX_LIMIT))
    if cursor:
        queryset = queryset.filter(_after(order, _decode(cursor, order, queryset.model)))
    rows = list(queryset.order_by(*order)[: limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, _encode(rows[-1], order) if more else None)


def _after(order: tuple[str, ...], values: list[Any]) -> Q:
    """Return the rows behind these values, field by field."""
    condition = Q()
    equal = Q()
    for name, value in zip(order, values, strict=True):
        field = name.lstrip("-")
        operator = "lt" if name.startswith("-") else "gt"
        condition |= equal & Q(**{f"{field}__{operator}": value})
        equal &= Q(**{field: value})
    return condition


def _encode(row: Model, order: tuple[str, ...]) -> str:
    values = [getattr(row, name.lstrip("-")) for name in order]
    text = json.dumps(
        [
            {"at": value.isoformat()} if isinstance(value, datetime) else str(value)
            for value in values
        ]
    )
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, order: tuple[str, ...], model: type[Model]) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fields = [model._meta.get_field(name.lstrip("-")) for name in order]
        return [_parsed(field, value) for field, value in zip(fields, values, strict=True)]
    except (*_NOT_OURS, binascii.Error) as error:
        raise InvalidError("The cursor is not one that was given out.") from error


def _parsed(field: Any, given: Any) -> Any:
    """Return the value as what the column holds, or raise what is wrong with it."""
    if isinstance(given, dict):
        # In UTC, where a moment at the edge of the calendar overflows here and not in a query.
        given = datetime.fromisoformat(given["at"]).astimezone(UTC)
    elif not isinstance(given, str) or "\x00" in given:
        raise ValueError("not a value of ours")
    else:
        given.encode()
    value = field.to_python(given)
    if isinstance(value, datetime) != isinstance(given, datetime):
        raise ValueError("a text where a time belongs, or the other way round")
    return value
