"""Opaque, prefixed, time-ordered identifiers such as `inv_01JDA…`."""

from __future__ import annotations

import os
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: sorts as its value does


def _encode(value: int, length: int) -> str:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


_RANDOM_BITS = 80
_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """A new identifier: `prefix`, an underscore and a ULID (48 bits of milliseconds, 80 random bits).

    Those of one process are in the order in which they were made, also within a millisecond: the next
    one is then the last plus a random step. Source: the ULID specification, monotonicity
    (github.com/ulid/spec).
    """
    global _last  # noqa: PLW0603 - the order is the process's
    fresh = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | int.from_bytes(os.urandom(10))
    with _lock:
        if fresh >> _RANDOM_BITS <= _last >> _RANDOM_BITS:
            fresh = _last + 1 + int.from_bytes(os.urandom(4))
        _last = fresh
    return f"{prefix}_{_encode(fresh, 26)}"
