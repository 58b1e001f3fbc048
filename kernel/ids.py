"""Opaque, prefixed, time-ordered identifiers such as `inv_01JDA…`."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: sorts as its value does


def _encode(value: int, length: int) -> str:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def new_id(prefix: str) -> str:
    """A new identifier: `prefix`, an underscore and a ULID (48 bits of milliseconds, 80 random bits).

    Source: the ULID specification (github.com/ulid/spec). Two made in the same millisecond
    have no order between them.
    """
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}_{_encode(milliseconds, 10)}{_encode(int.from_bytes(os.urandom(10)), 16)}"
