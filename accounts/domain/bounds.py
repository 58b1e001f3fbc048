"""The bounds of an API key: its scopes, and the roles of the members who answer and answered for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rest.access import ADMIN, OWNER, RANKS, SCOPES, scopes_of_role


def present_role(*, is_active: bool, is_superuser: bool, role: str | None) -> str | None:
    """Role of a person in an organization where their membership has `role` (None: not a member); None for no access.

    A superuser has the role of an owner everywhere, and a deactivated person none.
    """
    if not is_active:
        return None
    return OWNER if is_superuser else role


def weakest(roles: Iterable[str]) -> str:
    """The role of those that may do least about members; an owner's where nothing bounds."""
    return max(roles, key=RANKS.__getitem__, default=OWNER)


def givable_scopes(roles: Iterable[str], scopes: Collection[str] = (ADMIN,)) -> tuple[str, ...]:
    """Scopes that someone bounded by all of `roles` may give a new key; a key with `scopes` gives no others."""
    allowed = set(SCOPES if ADMIN in scopes else scopes)
    for role in roles:
        allowed &= set(scopes_of_role(role))
    return tuple(scope for scope in SCOPES if scope in allowed)
