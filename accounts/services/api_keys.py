from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import ApiKey, Organization
from accounts.queries import role_in
from accounts.secrets import hash_secret, new_secret
from accounts.services.audit import acting, record_audit
from accounts.services.key_authority import Actor, require_may_give_scopes, require_may_manage
from kernel.clock import to_rfc3339
from kernel.errors import ConflictError, InvalidError, UnauthenticatedError
from kernel.text import require_text
from rest.access import INGEST, SCOPES
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
    made_by: Actor = None,
) -> tuple[ApiKey, str]:
    """Create an API key; returns it and its secret, which is shown this once: only its hash is kept.

    With `customer`, the key that events name, it may send that customer's events and nothing else. It is bounded by
    `made_by`: a member by their present role, a key by all that bounds that key, with which it ends. None is the
    operator of this machine, or the customer itself.

    Raises `InvalidError` for an unknown scope or none at all, `ScopeAboveOwn` for one that `made_by` may not give,
    `ConflictError` for too many keys of a customer.
    """
    _require_sound(scopes, name, customer)
    require_may_give_scopes(made_by, organization_id=organization.pk, scopes=scopes)
    secret = _PREFIX + new_secret()
    with transaction.atomic():
        if customer is not None:
            _require_room(organization, customer)
        bound = _bound_by(made_by)
        key = ApiKey.objects.create(
            organization=organization,
            name=name,
            secret_hash=hash_secret(secret),
            hint=f"{secret[:7]}…{secret[-4:]}",
            scopes=[scope for scope in SCOPES if scope in scopes],
            customer=customer,
            expires_at=_expiry(bound.get("parent"), expires_at),
            created_by=acting(),
            **bound,
        )
        key.membership_role = _role_of_maker(made_by, organization)
        detail: dict[str, Any] = {"customer": customer, "expires_at": key.expires_at, "parent": key.parent_id}
        detail = {name: value for name, value in detail.items() if value}
        record_audit(
            organization_id=organization.pk,
            action="api_key.create",
            target=key.pk,
            about=customer,
            name=name,
            scopes=key.scopes,
            hint=key.hint,
            **detail,
        )
    return key, secret


def _require_sound(scopes: Sequence[str], name: str, customer: str | None) -> None:
    if not scopes or (unknown := set(scopes) - set(SCOPES)):
        raise InvalidError(
            f"A key needs scopes out of {', '.join(SCOPES)}"
            + (f", not {', '.join(sorted(unknown))}" if scopes else ""),
            code="scope_unknown",
        )
    require_text(name, field="name")
    if len(name) > 200:
        raise InvalidError("A key's name has at most 200 characters", code="name_invalid")
    if customer is not None and set(scopes) != {INGEST}:
        raise InvalidError("A customer's key has the scope 'ingest' and no other", code="scope_not_for_customers")


def _require_room(organization: Organization, customer: str) -> None:
    working = ApiKey.objects.filter(organization=organization, customer=customer, revoked_at=None).count()
    if working >= MOST_OF_A_CUSTOMER:
        raise ConflictError(f"A customer has at most {MOST_OF_A_CUSTOMER} keys", code="too_many_keys")


def _bound_by(made_by: Actor) -> dict[str, Any]:
    """Fields that bound a new key by its maker. A key that makes one is locked, so that its revocation reaches both."""
    if made_by is None:
        return {}
    if not isinstance(made_by, ApiKey):
        return {"has_maker": True, "maker": made_by}
    parent = ApiKey.objects.select_for_update(of=("self",)).select_related("maker").get(pk=made_by.pk)
    if parent.revoked_at is not None:
        raise UnauthenticatedError("This API key was revoked", code="api_key_invalid")
    return {"has_maker": parent.has_maker, "maker": parent.maker, "bounds": parent.bounds, "parent": parent}


def _role_of_maker(made_by: Actor, organization: Organization) -> str | None:
    if isinstance(made_by, ApiKey):
        return made_by.membership_role
    return None if made_by is None else role_in(organization.pk, made_by)


def _expiry(parent: ApiKey | None, expires_at: datetime | None) -> datetime | None:
    """The end of a new key, which is no later than that of the key that makes it."""
    if parent is None or parent.expires_at is None:
        return expires_at
    if expires_at is not None and expires_at > parent.expires_at:
        raise InvalidError(
            f"The key that makes this one expires at {to_rfc3339(parent.expires_at)}. Enter an earlier time",
            code="expires_at_invalid",
        )
    return expires_at or parent.expires_at


def revoke_api_key(*, key: ApiKey, at: datetime, by: Actor = None) -> None:
    """Revoke a key, with all that it made: from now on they open nothing. Revoking again keeps the first time.

    Raises `KeyAboveOwn`. A member may always revoke a key that they answer for, and a key itself.
    """
    if not _is_own(by, key):
        require_may_manage(by, key)
    with transaction.atomic():
        _revoke([key], at)


def _is_own(by: Actor, key: ApiKey) -> bool:
    return by == key if isinstance(by, ApiKey) else by is not None and key.maker_id == by.pk


def _revoke(keys: Sequence[ApiKey], at: datetime) -> None:
    for key in keys:
        if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at, needs_review=False):
            record_audit(
                organization_id=key.organization_id,
                action="api_key.revoke",
                target=key.pk,
                name=key.name,
                hint=key.hint,
                **({"parent": key.parent_id} if key.parent_id else {}),
            )
        # Children are looked for once the row is locked: none is added to a revoked key.
        _revoke(list(ApiKey.objects.filter(parent=key).order_by("id")), at)


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
