"""Providers' secrets at rest."""

from __future__ import annotations

from rest.encryption import SecretUnreadable, decrypt, encrypt

__all__ = ["SecretUnreadable", "decrypt_secret", "encrypt_secret"]

_PURPOSE = "providers' secrets"


def encrypt_secret(text: str) -> bytes:
    return encrypt(text, purpose=_PURPOSE)


def decrypt_secret(data: bytes | memoryview) -> str:
    """Raises `SecretUnreadable`."""
    return decrypt(data, purpose=_PURPOSE)
