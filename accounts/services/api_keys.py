from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from accounts.models import ApiKey, Organization
from kernel.errors import InvalidError
from rest.permissions import SCOPES

_PREFIX = "tx_"


def create_api_key(*, organization: Organization, scopes: Sequence[str], name: str = "") -> tuple[ApiKey, str]:
    """A new API key and its secret, which is shown this once: only its hash is kept.

    Raises `InvalidError` for a scope that does not exist or none at all.
    """
    if not scopes or (unknown := set(scopes) - set(SCOPES)):
        raise InvalidError(
            f"A key needs scopes out of {', '.join(SCOPES)}"
            + (f", not {', '.join(sorted(unknown))}" if scopes else ""),
            code="scope_unknown",
        )
    secret = _PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        organization=organization,
        name=name,
        secret_hash=hash_secret(secret),
        hint=f"{secret[:7]}…{secret[-4:]}",
        scopes=sorted(set(scopes)),
    )
    return key, secret


def hash_secret(secret: str) -> bytes:
    """SHA-256 of a key's secret. The secret has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).digest()


def revoke_api_key(*, key: ApiKey, at: datetime) -> None:
    """From now on the key opens nothing. Revoking again keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)
