"""Who of an organization is told something."""

from __future__ import annotations

from collections.abc import Collection

from accounts.facade import User


def addresses_of(organization_id: int, *, roles: Collection[str]) -> list[str]:
    """The e-mail addresses of the organization's people with one of `roles`."""
    members = User.objects.filter(
        is_active=True, memberships__organization_id=organization_id, memberships__role__in=roles
    )
    return list(members.order_by("email").values_list("email", flat=True).distinct())
