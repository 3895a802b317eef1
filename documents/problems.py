"""Errors as clients read them: one problem, or one entry per bad item of a list."""

from collections.abc import Sequence
from typing import Any

from documents.errors import SluiceError
from documents.services.uploads import Refusal


def as_problem(error: SluiceError) -> dict[str, Any]:
    """Return the problem object of RFC 9457, with our `code`."""
    return {
        "type": "about:blank",
        "code": error.code,
        "title": error.title,
        "detail": error.detail,
        "status": error.status,
        **error.details,
    }


def as_errors(refusals: Sequence[Refusal]) -> list[dict[str, Any]]:
    """Return one problem per refused item, with what names the item."""
    return [_named(refusal) | as_problem(refusal.error) for refusal in refusals]


def all_refused(refusals: Sequence[Refusal]) -> dict[str, Any]:
    """Return the problem of a request none of whose items was taken.

    The status and code are the items' own when they agree, else `invalid`.
    """
    first = refusals[0].error
    body = as_problem(first)
    if len({refusal.error.code for refusal in refusals}) > 1:
        body |= {"code": "invalid", "status": 400, "title": "No document was accepted"}
    if len(refusals) > 1:
        body["detail"] = f"None of the {len(refusals)} documents was accepted. {first.detail}"
    return body | {"errors": as_errors(refusals)}


def _named(refusal: Refusal) -> dict[str, str]:
    named = {"client_key": refusal.client_key, "path": refusal.path, "id": refusal.id}
    return {key: value for key, value in named.items() if value}
