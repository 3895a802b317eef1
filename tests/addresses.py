"""Every address of the site that has a parameter, and how to fill it in."""

import re
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# Names of the ids in addresses; whoever fills addresses in must know one of each.
IDS = {"batch_id", "document_id", "job_id"}
# Staff's own places: a visitor is sent to sign in, whatever the id.
STAFF = "admin/"


def addresses(resolver: Any = None, prefix: str = "") -> list[tuple[str, set[str]]]:
    """Return every address with parameters, and the parameters' names."""
    found = []
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += addresses(pattern, route)
        elif isinstance(pattern, URLPattern) and not route.startswith(STAFF):
            names = set(pattern.pattern.converters) | set(
                getattr(getattr(pattern.pattern, "regex", None), "groupindex", {})
            )
            if names:
                found.append((route, names))
    return found


def fill(route: str, ids: dict[str, str], action: str) -> str:
    """Return the path of a route with these ids and this action."""
    path = re.sub(r"\(\?P<action>[^)]*\)", action, route)
    path = re.sub(r"<str:action>", action, path)
    for name, value in ids.items():
        path = re.sub(rf"<\w+:{name}>", value, path)
        path = re.sub(rf"\(\?P<{name}>[^)]*\)", value, path)
    path = re.sub(r"<int:\w+>", "1", path)
    return "/" + path.replace("^", "").replace("$", "").replace("\\Z", "")
