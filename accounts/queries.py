from __future__ import annotations

from django.db.models import Q

from accounts.models import ApiKey, Organization, User
from accounts.services.api_keys import hash_secret
from kernel.errors import NotFoundError


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


def api_key_with(secret: str) -> ApiKey | None:
    """The key with this secret that is not revoked, with its organization; one query."""
    return (
        ApiKey.objects.select_related("organization").filter(secret_hash=hash_secret(secret), revoked_at=None).first()
    )
