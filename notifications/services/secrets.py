"""The secrets that sign webhooks, encrypted at rest."""

from __future__ import annotations

from functools import lru_cache

from notifications.models import WebhookEndpoint
from notifications.models.webhooks import SECRETS
from rest.encryption import decrypt, encrypt


def sealed(secret: str) -> str:
    """A secret as the database holds it."""
    return encrypt(secret, purpose=SECRETS).decode()


@lru_cache(maxsize=1024)
def unsealed(stored: str) -> str:
    """A secret as it signs. Raises `SecretUnreadable`."""
    return decrypt(stored.encode(), purpose=SECRETS)


def reveal_secret(endpoint: WebhookEndpoint) -> str:
    """To be shown where the secret was made, and nowhere else. Raises `SecretUnreadable`."""
    return unsealed(endpoint.secret)
