"""Secrets that must be read again, at rest: Fernet (AES-128-CBC with HMAC-SHA256), with keys derived from Django's."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from kernel.errors import UnavailableError


class SecretUnreadable(UnavailableError):
    """It was encrypted with a key that this server does not have (any more): give the secret anew."""

    code = "secret_unreadable"


def encrypt(text: str, *, purpose: str) -> bytes:
    """`text`, readable to who has this server's keys and names the same purpose."""
    return _cipher(purpose).encrypt(text.encode())


def decrypt(data: bytes | memoryview, *, purpose: str) -> str:
    """Raises `SecretUnreadable`."""
    try:
        return _cipher(purpose).decrypt(bytes(data)).decode()
    except InvalidToken:
        raise SecretUnreadable("A secret cannot be read with this server's keys") from None


def _cipher(purpose: str) -> MultiFernet:
    """What is encrypted with the first key can be read with any of them, as with Django's sessions."""
    known = [settings.PROVIDER_SECRETS_KEY, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([_fernet(text, purpose) for text in known if text])


@lru_cache(maxsize=64)
def _fernet(text: str, purpose: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"taximeter {purpose}".encode()).derive(text.encode())
    return Fernet(base64.urlsafe_b64encode(key))
