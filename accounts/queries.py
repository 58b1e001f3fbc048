from __future__ import annotations

from django.db.models import Q

from accounts.models import ApiKey, Organization, User
from accounts.services.api_keys import hash_secret
from kernel.errors import NotFoundError
from rest.statements import run


def get_organization(reference: str) -> Organization:
    """The organization with this key or id; `NotFoundError` where there is none."""
    found = Organization.objects.filter(Q(key=reference) | Q(public_id=reference)).first()
    if found is None:
        raise NotFoundError(f"There is no organization {reference!r}", code="organization_not_found")
    return found


def only_organization() -> Organization:
    """The one organization there is; `NotFoundError` where there are none or several."""
    found = list(Organization.objects.order_by("id")[:2])
    if len(found) != 1:
        raise NotFoundError(
            "Say which organization: there are several" if found else "There is no organization yet",
            code="organization_not_found",
        )
    return found[0]


def organizations_of(user: User) -> list[Organization]:
    """The organizations `user` is a member of, by name."""
    return list(Organization.objects.filter(memberships__user=user).order_by("name", "id"))


_LIVE_KEY = """
SELECT k.id, k.organization_id, k.name, k.hint, k.scopes, k.created_at, o.public_id, o.key, o.name, o.created_at
FROM accounts_apikey k JOIN accounts_organization o ON o.id = k.organization_id
WHERE k.secret_hash = %s AND k.revoked_at IS NULL
"""


def api_key_with(secret: str) -> ApiKey | None:
    """The key with this secret that is not revoked, with its organization; one query, as every request makes it."""
    secret_hash = hash_secret(secret)
    row = run(_LIVE_KEY, [secret_hash]).fetchone()
    if row is None:
        return None
    key_id, organization_id, name, hint, scopes, created_at, *organization = row
    key = ApiKey(key_id, organization_id, name, secret_hash, hint, scopes, created_at)
    key.organization = Organization(organization_id, *organization)
    key._state.adding = key.organization._state.adding = False
    return key
