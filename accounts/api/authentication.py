from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header

from accounts.models import ApiKey
from accounts.queries import api_key_with
from accounts.services.api_keys import note_use
from accounts.services.audit import act_as
from kernel.clock import system_clock
from kernel.errors import UnauthenticatedError


def authenticate_key(authorization: str) -> ApiKey:
    """The API key of an `Authorization: Bearer …` header; `UnauthenticatedError` says what is wrong with it."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthenticatedError("Send an API key as 'Authorization: Bearer …'")
    key = api_key_with(secret.strip())
    if key is None:
        raise UnauthenticatedError("This API key is unknown or was revoked", code="api_key_invalid")
    now = system_clock()
    if key.expires_at is not None and key.expires_at <= now:
        raise UnauthenticatedError("This API key has expired", code="api_key_expired")
    if key.has_ended:
        raise UnauthenticatedError(
            "The member who answers for this API key left the organization or was deactivated. Hand the key over to "
            "another member, or create a new one",
            code="api_key_ended",
        )
    note_use(key=key, at=now)
    act_as(key.hint, api_key=key.pk, organization_id=key.organization_id)
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
