from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header

from accounts.models import ApiKey
from accounts.queries import api_key_with
from kernel.errors import UnauthenticatedError


def authenticate_key(authorization: str) -> ApiKey:
    """The API key of an `Authorization: Bearer …` header; `UnauthenticatedError` says what is wrong with it."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthenticatedError("Send an API key as 'Authorization: Bearer …'")
    key = api_key_with(secret.strip())
    if key is None:
        raise UnauthenticatedError("This API key is unknown or was revoked", code="api_key_invalid")
    return key


class ApiKeyAuthentication(BaseAuthentication):
    """`request.auth` becomes the `ApiKey`; there is no user behind it."""

    def authenticate(self, request: Any) -> tuple[None, ApiKey]:
        header = get_authorization_header(request).decode("latin-1")
        if not header:
            raise UnauthenticatedError("Send an API key as 'Authorization: Bearer …'")
        return None, authenticate_key(header)

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="taximeter"'
