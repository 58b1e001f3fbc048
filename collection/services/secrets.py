"""Providers' secrets at rest."""

from __future__ import annotations

from collection.models.accounts import SECRETS
from rest.encryption import SecretUnreadable, decrypt, encrypt

__all__ = ["SecretUnreadable", "decrypt_secret", "encrypt_secret"]


def encrypt_secret(text: str) -> bytes:
    return encrypt(text, purpose=SECRETS)


def decrypt_secret(data: bytes | memoryview) -> str:
    """Raises `SecretUnreadable`."""
    return decrypt(data, purpose=SECRETS)
