"""Bearer tokens for the API."""

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from documents.models import ApiToken
from documents.services.tokens import find_token


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`; needs no CSRF token, since no browser sends it unasked."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiToken] | None:
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        found = find_token(token.strip())
        if found is None:
            raise AuthenticationFailed("This token is unknown or was revoked.")
        return found.user, found

    def authenticate_header(self, request: Request) -> str:
        """Make the answer to an anonymous request 401 and not 403."""
        return "Bearer"
