"""Render every error of the API as application/problem+json (RFC 9457)."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from documents.errors import RateLimitError, SluiceError, TooLargeError, TransientError
from documents.outages import is_service_away
from documents.problems import as_problem

PROBLEM = "application/problem+json"
RETRY_SECONDS = "5"


def problem_response(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Return the problem for an exception a view raised; None for what is a real bug."""
    if isinstance(exception, SluiceError):
        return _of_sluice(exception)
    if isinstance(exception, Http404):
        return _problem("not_found", 404, "There is nothing here")
    if isinstance(exception, PermissionDenied):
        return _problem("forbidden", 403, "This is not allowed", str(exception))
    if isinstance(exception, exceptions.APIException):
        return _of_framework(exception)
    if isinstance(exception, RequestDataTooBig):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return _of_sluice(TooLargeError(f"A request body has at most {limit} bytes.", limit=limit))
    if is_service_away(exception):
        response = _problem("unavailable", 503, "Temporarily unavailable")
        response["Retry-After"] = RETRY_SECONDS
        return response
    return None


def _of_sluice(error: SluiceError) -> Response:
    response = Response(as_problem(error), status=error.status, content_type=PROBLEM)
    if isinstance(error, (TransientError, RateLimitError)):
        response["Retry-After"] = str(int(error.retry_after_seconds or int(RETRY_SECONDS)))
    return response


def _of_framework(error: exceptions.APIException) -> Response:
    codes = {401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
    code = codes.get(error.status_code, "invalid")
    title = str(error.default_detail)
    if isinstance(error, exceptions.ValidationError):
        title, detail = "The request is not valid", _flat(error.detail)
    else:
        detail = str(error.detail)
    response = _problem(code, error.status_code, title, detail)
    header = getattr(error, "auth_header", None)
    if header:
        response["WWW-Authenticate"] = header
    return response


def _flat(detail: Any, prefix: str = "") -> str:
    """Return the framework's nested messages as one line that names each place."""
    if isinstance(detail, dict):
        return " ".join(_flat(value, f"{prefix}{key}.") for key, value in detail.items() if value)
    if isinstance(detail, list):
        if all(isinstance(value, str) for value in detail):
            return f"{prefix.rstrip('.')}: {' '.join(detail)}" if prefix else " ".join(detail)
        return " ".join(_flat(value, f"{prefix}{at}.") for at, value in enumerate(detail) if value)
    return f"{prefix.rstrip('.')}: {detail}"


def _problem(code: str, status: int, title: str, detail: str = "") -> Response:
    # A refusal may quote what was given, and not everything that was given is UTF-8.
    detail = detail.encode("utf-8", "replace").decode()
    body = {"type": "about:blank", "code": code, "title": title, "status": status}
    return Response(body | {"detail": detail or title}, status=status, content_type=PROBLEM)
