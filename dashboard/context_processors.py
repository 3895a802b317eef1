"""What the frame around every page needs. Asks no database: it also frames error pages."""

from django.conf import settings
from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, str]:
    """Return the version that the footer names."""
    return {"version": settings.VERSION}
