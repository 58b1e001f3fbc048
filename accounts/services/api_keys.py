from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import ApiKey, Organization
from accounts.secrets import hash_secret, new_secret
from accounts.services.audit import acting, record_audit
from kernel.errors import ConflictError, InvalidError
from rest.permissions import INGEST, SCOPES
from rest.statements import run

_PREFIX = "tx_"

#: How exact `last_used_at` is: a key's use is written down at most this often.
USE_NOTED_EVERY = timedelta(minutes=10)
#: How many working keys a customer may have.
MOST_OF_A_CUSTOMER = 20


def create_api_key(
    *,
    organization: Organization,
    scopes: Sequence[str],
    name: str = "",
    customer: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new API key and its secret, which is shown this once: only its hash is kept.

    With `customer`, the key that events name, it may send that customer's events and nothing else.
    Raises `InvalidError` for a scope that does not exist or none at all, `ConflictError` for too many of a customer.
    """
    if not scopes or (unknown := set(scopes) - set(SCOPES)):
        raise InvalidError(
            f"A key needs scopes out of {', '.join(SCOPES)}"
            + (f", not {', '.join(sorted(unknown))}" if scopes else ""),
            code="scope_unknown",
        )
    if len(name) > 200 or "\x00" in name:
        raise InvalidError("A key's name has at most 200 characters", code="name_invalid")
    if customer is not None:
        if set(scopes) != {INGEST}:
            raise InvalidError("A customer's key has the scope 'ingest' and no other", code="scope_not_for_customers")
        working = ApiKey.objects.filter(organization=organization, customer=customer, revoked_at=None).count()
        if working >= MOST_OF_A_CUSTOMER:
            raise ConflictError(f"A customer has at most {MOST_OF_A_CUSTOMER} keys", code="too_many_keys")
    secret = _PREFIX + new_secret()
    with transaction.atomic():
        key = ApiKey.objects.create(
            organization=organization,
            name=name,
            secret_hash=hash_secret(secret),
            hint=f"{secret[:7]}…{secret[-4:]}",
            scopes=sorted(set(scopes)),
            customer=customer,
            expires_at=expires_at,
            created_by=acting(),
        )
        record_audit(
            organization_id=organization.pk,
            action="api_key.create",
            target=key.pk,
            name=name,
            scopes=key.scopes,
            hint=key.hint,
            **({"customer": customer} if customer else {}),
            **({"expires_at": expires_at} if expires_at else {}),
        )
    return key, secret


def revoke_api_key(*, key: ApiKey, at: datetime) -> None:
    """From now on the key opens nothing. Revoking again keeps the first time."""
    with transaction.atomic():
        if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at):
            record_audit(
                organization_id=key.organization_id,
                action="api_key.revoke",
                target=key.pk,
                name=key.name,
                hint=key.hint,
            )


_NOTE_USE = """
UPDATE accounts_apikey SET last_used_at = %s WHERE id IN (
    SELECT id FROM accounts_apikey WHERE id = %s AND (last_used_at IS NULL OR last_used_at < %s)
    FOR UPDATE SKIP LOCKED
)
"""


def note_use(*, key: ApiKey, at: datetime) -> None:
    """Write down that a key is used, unless that was done lately. Waits for nobody who does the same."""
    if key.last_used_at is None or key.last_used_at < at - USE_NOTED_EVERY:
        run(_NOTE_USE, [at, key.pk, at - USE_NOTED_EVERY])
