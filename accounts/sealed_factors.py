"""Second factors at rest: the secrets of apps are encrypted, and of recovery codes only slow hashes are kept."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from django.db import models

from rest.encryption import decrypt_short, encrypt_short

#: The purpose of the key that apps' secrets are encrypted with.
FACTORS = "second factors"


class SealedHexField(models.CharField):  # type: ignore[type-arg]
    """Hexadecimal digits to Python, encrypted in the database. To migrations it is the text field that it replaces."""

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> str | None:
        return None if value is None else decrypt_short(value, purpose=FACTORS).hex()

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        text = super().get_db_prep_save(value, connection)
        return encrypt_short(bytes.fromhex(text), purpose=FACTORS) if isinstance(text, str) else text

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.CharField", arguments, options


def seal_factors() -> None:
    """Have django-otp keep apps' secrets encrypted: its models take no field of another class by themselves."""
    from django_otp.plugins.otp_totp.models import TOTPDevice  # noqa: PLC0415 - models exist only after the start

    TOTPDevice._meta.get_field("key").__class__ = SealedHexField


def hash_recovery_code(code: str, *, device_id: int) -> str:
    """A recovery code as it is kept, in 16 characters, as many as django-otp's column has: 80 bits of scrypt.

    A code has 49 random bits, too few for a fast hash: at 50 ms a try, all of them take a million years.
    """
    salt = f"taximeter recovery codes of device {device_id}".encode()
    hashed = hashlib.scrypt(code.encode(), salt=salt, n=2**14, r=8, p=1, dklen=10, maxmem=2**26)
    return base64.b32encode(hashed).decode().lower()
