"""Providers' secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256), with keys derived from Django's secrets."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from kernel.errors import UnavailableError


class SecretUnreadable(UnavailableError):
    """It was encrypted with a key that this server does not have (any more): give the secret anew."""

    code = "secret_unreadable"


def encrypt_secret(text: str) -> bytes:
    return _cipher().encrypt(text.encode())


def decrypt_secret(data: bytes | memoryview) -> str:
    """Raises `SecretUnreadable`."""
    try:
        return _cipher().decrypt(bytes(data)).decode()
    except InvalidToken:
        raise SecretUnreadable("A provider's secret cannot be read with this server's keys") from None


def _cipher() -> MultiFernet:
    """What is encrypted with the first key can be read with any of them, as with Django's sessions."""
    first = settings.PROVIDER_SECRETS_KEY or settings.SECRET_KEY
    return MultiFernet([_fernet(text) for text in [first, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]])


def _fernet(text: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"taximeter providers' secrets").derive(text.encode())
    return Fernet(base64.urlsafe_b64encode(key))
