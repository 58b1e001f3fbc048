"""What an API key may do: each view names the permission it needs (`rest.access`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import BasePermission

from kernel.errors import ForbiddenError
from rest.access import ROLES, SCOPES, TABLE, Permission

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def permission_of(view: Any, method: str) -> Permission | None:
    """The permission that `method` of an API's view needs; None where the view does not say, which refuses everyone.

    A view says it in `required_permission`: one for all its methods, or a mapping from method to permission. Reading
    needs `see` where nothing else is said; every other method has to be named.
    """
    required = getattr(view, "required_permission", None)
    if isinstance(required, Mapping):
        required = required.get("GET" if method == "HEAD" else method)
    if required is None and method in SAFE:
        return Permission.SEE
    return required


class HasPermission(BasePermission):
    """Refuses a key without the view's permission: 403 `scope_missing` for its scopes, `maker_not_allowed` for the
    role of the member who made it.

    A key bound to a customer reaches only views with `takes_customer_keys`, which let it do nothing for another one.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.auth is None:
            return False
        require_permission(request.auth, permission_of(view, request.method))
        if request.auth.customer is not None and not getattr(view, "takes_customer_keys", False):
            raise ForbiddenError("A customer's API key sends events and does nothing else", code="customer_key_refused")
        return True


def require_permission(key: Any, permission: Permission | None) -> None:
    """Raise `ForbiddenError` where the API key `key` does not have `permission`."""
    if permission is None:
        raise ForbiddenError("No API key may do this", code="scope_missing")
    rule = TABLE[permission]
    if rule.scopes.isdisjoint(key.scopes):
        named = " or ".join(f"'{scope}'" for scope in SCOPES if scope in rule.scopes)
        raise ForbiddenError(f"This needs an API key with the scope {named}", code="scope_missing")
    for role in key.roles:
        if role not in rule.roles:
            raise ForbiddenError(
                f"This key may do no more than the role '{role}', which does not allow this. Use a key of a member "
                f"with the role {' or '.join(one for one in ROLES if one in rule.roles)}",
                code="maker_not_allowed",
            )
