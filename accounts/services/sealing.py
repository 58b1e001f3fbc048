"""Personal values in rows that never change, encrypted under a key of their customer that erasure destroys.

AES-SIV (RFC 5297) without a nonce: equal values of one customer give equal tokens, so that they can still be compared,
grouped and counted, and nothing else can be learned from them without the key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from accounts.models import WRAPPING, CustomerKey, KeyPurpose
from rest.encryption import decrypt, encrypt

#: Shown in place of a value whose key was destroyed.
ERASED = "[erased]"


_TOKEN = re.compile(r"sealed:([0-9]{1,18}):([A-Za-z0-9_-]+={0,2})")
_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class Sealer:
    """Encrypts values under one customer's key."""

    key_id: int
    cipher: AESSIV

    def __call__(self, value: Any) -> str:
        """The token of a JSON value: `sealed:<key's id>:<base64>`."""
        return self.seal_json(_encoder.encode(value))

    def seal_json(self, encoded: bytes) -> str:
        content = base64.urlsafe_b64encode(self.cipher.encrypt(encoded, None)).decode()
        return f"sealed:{self.key_id}:{content}"


def sealers(*, organization_id: int, purpose: str, holders: Iterable[str]) -> dict[str, Sealer]:
    """The sealer of each holder; keys that are missing, or were destroyed, are created. Two queries at most."""
    wanted = sorted(set(holders))
    rows = CustomerKey.objects.filter(
        organization_id=organization_id, purpose=purpose, holder__in=wanted, destroyed_at=None
    )
    found = {row.holder: row for row in rows}
    if missing := [holder for holder in wanted if holder not in found]:
        new = [
            CustomerKey(organization_id=organization_id, holder=holder, purpose=purpose, wrapped=_new_key())
            for holder in missing
        ]
        CustomerKey.objects.bulk_create(new, ignore_conflicts=True)
        found |= {row.holder: row for row in rows.all()}
    return {holder: Sealer(found[holder].pk, _cipher(found[holder])) for holder in wanted}


def sealer(*, organization_id: int, purpose: str, holder: str) -> Sealer:
    """The sealer of one holder."""
    return sealers(organization_id=organization_id, purpose=purpose, holders=[holder])[holder]


def is_token(value: object) -> bool:
    """Report if `value` has the form of an encrypted value."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def unseal(values: Sequence[Any], *, organization_id: int) -> list[Any]:
    """The JSON values with every token in them decrypted, or replaced by `ERASED` where its key was destroyed.

    Keys are read from the database each time, with one query for all the values, so that no process reads on with a
    key that another one has destroyed. Values without a token are returned as they are, without a query.
    """
    wanted: set[int] = set()
    for value in values:
        _collect(value, wanted)
    if not wanted:
        return list(values)
    rows = CustomerKey.objects.filter(organization_id=organization_id, pk__in=wanted)
    ciphers = {row.pk: None if row.destroyed_at else _cipher(row) for row in rows}
    return [_opened(value, ciphers) for value in values]


def unseal_one(value: Any, *, organization_id: int) -> Any:
    """The same for one value."""
    return unseal([value], organization_id=organization_id)[0]


def destroy_keys(
    *, organization_id: int, holders: Iterable[str], at: datetime, purposes: Iterable[str] = tuple(KeyPurpose)
) -> int:
    """Make everything that was encrypted for `holders` unreadable for ever; returns how many keys there were.

    A backup of the database from before still has the keys: see docs/privacy.md.
    """
    rows = CustomerKey.objects.filter(
        organization_id=organization_id, holder__in=list(holders), purpose__in=list(purposes), destroyed_at=None
    )
    return rows.update(wrapped=b"", destroyed_at=at)


def _new_key() -> bytes:
    return encrypt(base64.b64encode(AESSIV.generate_key(512)).decode(), purpose=WRAPPING)


def _cipher(row: CustomerKey) -> AESSIV:
    return AESSIV(base64.b64decode(decrypt(row.wrapped, purpose=WRAPPING)))


def _collect(value: Any, found: set[int]) -> None:
    if isinstance(value, str):
        if value.startswith("sealed:") and (match := _TOKEN.fullmatch(value)):
            found.add(int(match.group(1)))
    elif isinstance(value, dict):
        for part in value.values():
            _collect(part, found)
    elif isinstance(value, list):
        for part in value:
            _collect(part, found)


def _opened(value: Any, ciphers: dict[int, AESSIV | None]) -> Any:
    if isinstance(value, dict):
        return {name: _opened(part, ciphers) for name, part in value.items()}
    if isinstance(value, list):
        return [_opened(part, ciphers) for part in value]
    match = _TOKEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match.group(1)) not in ciphers:
        return value
    cipher = ciphers[int(match.group(1))]
    if cipher is None:
        return ERASED
    try:
        return msgspec.json.decode(cipher.decrypt(base64.urlsafe_b64decode(match.group(2)), None))
    except (InvalidTag, ValueError):
        return value  # text that somebody wrote in this form
