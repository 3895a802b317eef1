"""API tokens: shown once, kept as a hash."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils import timezone

from documents.models import ApiToken

PREFIX = "slc_"
# Writing the last use on every request would make reads writes.
SEEN_EVERY = timedelta(minutes=1)


def create_token(user: AbstractBaseUser, name: str) -> str:
    """Return a new token; this is the only time it can be read."""
    token = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(user_id=user.pk, name=name, prefix=token[:10], digest=_digest(token))
    return token


def find_token(token: str) -> ApiToken | None:
    """Return the live token with this text, or None; notes when it was used."""
    found = (
        ApiToken.objects.select_related("user")
        .filter(digest=_digest(token), revoked_at=None, user__is_active=True)
        .first()
    )
    now = timezone.now()
    if found and (found.last_used_at is None or found.last_used_at < now - SEEN_EVERY):
        ApiToken.objects.filter(id=found.id).update(last_used_at=now)
    return found


def revoke(queryset: QuerySet[ApiToken]) -> int:
    """End these tokens from now on; return how many were live."""
    return queryset.filter(revoked_at=None).update(revoked_at=timezone.now())


def _digest(token: str) -> str:
    # The token has 256 bits of its own: a slow hash would add nothing.
    return hashlib.sha256(token.encode()).hexdigest()
