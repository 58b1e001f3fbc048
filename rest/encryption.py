"""Secrets that must be read again, at rest.

Fernet (AES-128-CBC with HMAC-SHA256), or AES-256-GCM where a column is short, with keys derived (HKDF) from
`TAXIMETER_PROVIDER_SECRETS_KEY`, or else from `SECRET_KEY`. What was encrypted with a fallback of either is read, too,
until `manage.py rotate_secrets` has encrypted it with the present key. Each column is registered beside its model
(`register_encrypted`), so that the command finds it; `encrypt` refuses a purpose that no column is registered for.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from kernel.errors import UnavailableError

_NONCE_BYTES = 12


class SecretUnreadable(UnavailableError):
    """The secret was encrypted with a key that this server does not have. Restore that key, or enter it again."""

    code = "secret_unreadable"


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A column of secrets: `model` is a label such as `collection.StripeAccount`. Empty values are left as they are.

    `is_short` says that it is of `encrypt_short`, and otherwise of `encrypt`.
    """

    model: str
    field: str
    purpose: str
    is_short: bool = False

    @property
    def name(self) -> str:
        return f"{self.model}.{self.field}"

    def renewed(self, stored: bytes) -> bytes | None:
        """`stored` encrypted with the present key; None where it is already. Raises `SecretUnreadable`."""
        if self.is_short:
            text = stored.decode()
            if _opened(text, _short_keys(self.purpose)[:1]) is not None:
                return None
            return encrypt_short(decrypt_short(text, purpose=self.purpose), purpose=self.purpose).encode()
        try:
            _fernet(_texts()[0], self.purpose).decrypt(stored)
        except InvalidToken:
            return encrypt(decrypt(stored, purpose=self.purpose), purpose=self.purpose)
        return None


_columns: dict[str, EncryptedColumn] = {}


def register_encrypted(model: str, *fields: str, purpose: str, is_short: bool = False) -> None:
    """Register columns for `rotate_secrets`. To be called where the model is defined."""
    for field in fields:
        column = EncryptedColumn(model, field, purpose, is_short)
        _columns[column.name] = column


def encrypted_columns() -> list[EncryptedColumn]:
    """All registered columns, by name."""
    return [_columns[name] for name in sorted(_columns)]


def encrypt(text: str, *, purpose: str) -> bytes:
    """`text`, readable with this server's keys and the same purpose."""
    _require_registered(purpose)
    return _cipher(purpose).encrypt(text.encode())


def decrypt(data: bytes | memoryview, *, purpose: str) -> str:
    """Raises `SecretUnreadable`."""
    try:
        return _cipher(purpose).decrypt(bytes(data)).decode()
    except InvalidToken:
        raise _unreadable() from None


def encrypt_short(data: bytes, *, purpose: str) -> str:
    """`data` in 4/3 of its length and 40 characters more, for columns that others have made short."""
    _require_registered(purpose)
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(_short_keys(purpose)[0]).encrypt(nonce, data, None)
    return base64.urlsafe_b64encode(sealed).decode()


def decrypt_short(text: str, *, purpose: str) -> bytes:
    """Raises `SecretUnreadable`."""
    found = _opened(text, _short_keys(purpose))
    if found is None:
        raise _unreadable()
    return found


def _require_registered(purpose: str) -> None:
    if not any(one.purpose == purpose for one in _columns.values()):
        raise LookupError(f"No column is registered for {purpose!r}: rotate_secrets would not find it")


def _unreadable() -> SecretUnreadable:
    return SecretUnreadable("A secret cannot be read with this server's keys")


def _texts() -> list[str]:
    """What keys are derived from, the present one first: Django's `SECRET_KEY` only stands in for a missing one."""
    own = [settings.PROVIDER_SECRETS_KEY, *settings.PROVIDER_SECRETS_KEY_FALLBACKS]
    return [text for text in (*own, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if text]


def _cipher(purpose: str) -> MultiFernet:
    return MultiFernet([_fernet(text, purpose) for text in _texts()])


def _short_keys(purpose: str) -> list[bytes]:
    return [_derived(text, f"{purpose}, short") for text in _texts()]


def _opened(text: str, keys: list[bytes]) -> bytes | None:
    try:
        sealed = base64.urlsafe_b64decode(text.encode())
    except ValueError:
        return None
    for found in _tried(sealed, keys):
        return found
    return None


def _tried(sealed: bytes, keys: list[bytes]) -> Iterator[bytes]:
    for key in keys:
        try:
            yield AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            continue


@lru_cache(maxsize=64)
def _fernet(text: str, purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derived(text, purpose)))


@lru_cache(maxsize=64)
def _derived(text: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"taximeter {purpose}".encode()).derive(text.encode())
