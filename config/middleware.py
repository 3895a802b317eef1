"""What every request passes: an id for the logs, a query fit for SQL, and an honest 503."""

import sys
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from documents.outages import is_service_away

Handler = Callable[[HttpRequest], HttpResponse]
PROBLEM = "application/problem+json"
RETRY_SECONDS = 5


class RequestIdMiddleware:
    """Name each request, in the logs and in the answer."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class UnavailableMiddleware:
    """Answer 503 with Retry-After when a view finds the database or Redis away.

    What a middleware finds away ends in `broken`, which answers the same.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not is_service_away(exception):
            return None
        structlog.get_logger(__name__).warning("dependency_away", error=str(exception))
        return unavailable(request)


class PlainQueryMiddleware:
    """Refuse a query with NUL, which no column can hold, before anything asks the database."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if any("\x00" in value for values in request.GET.lists() for value in values[1]):
            return refused(request, 400, "invalid", "The address contains a NUL character.")
        return self.get_response(request)


def refused(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    """Return the refusal of a request that reached no view: a problem, or a page."""
    if not request.path.startswith("/api/"):
        return render(request, f"{status}.html", status=status)
    body = {"type": "about:blank", "code": code, "title": detail.rstrip("."), "detail": detail}
    return JsonResponse(body | {"status": status}, status=status, content_type=PROBLEM)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for an address that leads nowhere."""
    return refused(request, 404, "not_found", "There is nothing here.")


def broken(request: HttpRequest) -> HttpResponse:
    """Answer for what we did not foresee; the log has the traceback."""
    # Django calls this while it handles the exception, and tells only here which one.
    exception = sys.exception()
    if exception is not None and is_service_away(exception):
        return unavailable(request)
    return refused(request, 500, "internal", "Something went wrong on our side.")


def unavailable(request: HttpRequest) -> HttpResponse:
    """Return the 503 that says when to come back."""
    if request.path.startswith("/api/"):
        response: HttpResponse = JsonResponse(
            {
                "type": "about:blank",
                "code": "unavailable",
                "title": "Temporarily unavailable",
                "detail": f"A service Sluice needs is away. Try again in {RETRY_SECONDS} s.",
                "status": 503,
            },
            status=503,
            content_type=PROBLEM,
        )
    else:
        response = render(request, "503.html", status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    return response
