"""Who may do what with API keys: no one gives a key more than they have, or changes a key of someone above them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from accounts.domain.bounds import givable_scopes
from accounts.models import ApiKey, User
from accounts.queries import api_keys_of, role_in
from accounts.services.audit import SYSTEM
from kernel.errors import ForbiddenError
from rest.access import ADMIN, OWNER, Permission, is_above, permissions_of_role, scopes_of_role

#: A signed-in person, an API key, or None for the operator of this machine, whom nothing bounds.
Actor: TypeAlias = User | ApiKey | None


class ScopeAboveOwn(ForbiddenError):
    code = "scope_above_own"


class KeyAboveOwn(ForbiddenError):
    code = "key_above_own"


@dataclass(frozen=True, slots=True)
class Standing:
    """An actor's role in an organization at present (None: no access), and the scopes of the keys they may create."""

    role: str | None
    scopes: tuple[str, ...]

    def may_manage(self, key: ApiKey) -> bool:
        """True where they may revoke, hand over and review `key` (read by `api_keys_of`).

        They may where they could have created it, and where its maker is not above them. A key that the operator of
        this machine gave the scope `admin` may do what an owner does, so only owners manage it.
        """
        if self.role is None or not set(key.scopes) <= set(self.scopes):
            return False
        holder = _holder(key)
        return holder is None or not is_above(holder, self.role)


def standing_of(actor: Actor, organization_id: int) -> Standing:
    """The standing of a person, a key or the operator, whom nothing bounds, in an organization."""
    if actor is None:
        return Standing(OWNER, givable_scopes([]))
    if isinstance(actor, ApiKey):
        ended = actor.has_ended
        return Standing(None, ()) if ended else Standing(actor.acting_role, givable_scopes(actor.roles, actor.scopes))
    role = role_in(organization_id, actor)
    return Standing(role, () if role is None else scopes_of_role(role))


def require_may_give_scopes(actor: Actor, *, organization_id: int, scopes: Collection[str]) -> None:
    """Raise `ScopeAboveOwn` where `actor` may not create a key with `scopes`."""
    allowed = standing_of(actor, organization_id).scopes
    if too_many := [scope for scope in scopes if scope not in allowed]:
        raise ScopeAboveOwn(
            f"You may not create a key with the scope {', '.join(too_many)}. "
            + (f"Choose out of {', '.join(allowed)}" if allowed else "Ask an owner for a key"),
        )


def require_may_manage(actor: Actor, key: ApiKey) -> None:
    """Raise `KeyAboveOwn` where `actor` may not revoke, hand over or review `key`: see `Standing.may_manage`."""
    if actor is not None and not standing_of(actor, key.organization_id).may_manage(key):
        raise KeyAboveOwn("This key may do more than you, or belongs to a member above you. Ask an owner")


def _holder(key: ApiKey) -> str | None:
    """The role that stands behind a key; None where none does."""
    if key.has_maker:
        return key.maker_role
    return OWNER if ADMIN in key.scopes else None


def role_of_sender(organization_id: int, sender: str, *, needs: Permission, now: datetime) -> str | None:
    """Present role of the one who acted as `sender` (`accounts.services.audit.sender`): a person, a key, or the system,
    which may do what an owner may.

    None where they have no access, the key no longer works, or they no longer have the permission `needs`.
    """
    if sender == SYSTEM:
        return OWNER
    if sender.startswith("user:"):
        role = role_in(organization_id, int(sender.removeprefix("user:")))
        return role if role is not None and needs in permissions_of_role(role) else None
    key = api_keys_of(organization_id).filter(pk=sender).first()
    works = key is not None and key.status(now) == "active" and needs in key.permissions
    return key.acting_role if key is not None and works else None
