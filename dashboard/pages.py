"""What every page has in common: somebody is signed in, and errors become pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from documents.errors import InvalidError, NotFoundError, PermissionDeniedError

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def page(view: View[P]) -> Callable[..., HttpResponse]:
    """Ask for a sign-in, and show what the access functions refuse as 404 or 403.

    A cursor that was not given out is a page that does not exist.
    """

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (NotFoundError, InvalidError) as error:
            raise Http404(error.detail) from error
        except PermissionDeniedError as error:
            raise PermissionDenied(error.detail) from error

    return login_required(shown)
