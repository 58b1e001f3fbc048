"""Who asks, learnt before a request's body is read: from its API key, or from the session of a signed-in person.

This says whose share of the server a request takes; what it may do is decided by the view.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Session
from accounts.secrets import hash_secret
from accounts.sessions import hash_key
from kernel.clock import system_clock
from kernel.errors import UnauthenticatedError
from rest.statements import run

MISSING = "Send an API key as 'Authorization: Bearer …'"

_KEYS = """
SELECT secret_hash, id, organization_id, expires_at FROM accounts_apikey
WHERE secret_hash = ANY(%s) AND revoked_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """An API key that is not revoked, by its row, and the organization whose it is."""

    key: int
    organization: int
    expires_at: datetime | None


def secret_hash_of(authorization: str) -> bytes:
    """The hash of the secret in an `Authorization: Bearer …` header; `UnauthenticatedError` where there is none."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthenticatedError(MISSING)
    return hash_secret(secret.strip())


def require_working(owner: KeyOwner | None, *, now: datetime) -> KeyOwner:
    """`owner`; raises `UnauthenticatedError` for a key that is unknown, revoked or expired."""
    if owner is None:
        raise UnauthenticatedError("This API key is unknown or was revoked", code="api_key_invalid")
    if owner.expires_at is not None and owner.expires_at <= now:
        raise UnauthenticatedError("This API key has expired", code="api_key_expired")
    return owner


def owners_of_keys(hashes: Iterable[bytes]) -> dict[bytes, KeyOwner]:
    """The owners of the keys with these hashes, unknown and revoked ones left out; one query."""
    rows = run(_KEYS, [list(hashes)]).fetchall()
    return {bytes(secret_hash): KeyOwner(key, owner, expires_at) for secret_hash, key, owner, expires_at in rows}


def users_of_sessions(session_keys: Sequence[str]) -> dict[str, int]:
    """The people signed in by these sessions, others left out; one query."""
    by_hash = {hash_key(one): one for one in session_keys}
    rows = Session.working(system_clock()).filter(key_hash__in=by_hash, user__isnull=False)
    return {by_hash[key_hash]: user for key_hash, user in rows.values_list("key_hash", "user_id")}


def needs_key(view: object) -> bool:
    """Whether a URL's `view` opens by an API key only."""
    from accounts.api.authentication import ApiKeyAuthentication  # noqa: PLC0415 - DRF reads settings as it loads

    classes = getattr(getattr(view, "cls", None), "authentication_classes", ())
    return any(issubclass(one, ApiKeyAuthentication) for one in classes)
