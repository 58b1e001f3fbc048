"""What an API key may do: each view says the scope it needs."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission

from kernel.errors import ForbiddenError

READ, WRITE, INGEST, ADMIN = "read", "write", "ingest", "admin"
SCOPES = (INGEST, READ, WRITE, ADMIN)

#: What each scope allows besides itself. `admin` may do all; who may write may also read what was written.
_IMPLIED = {ADMIN: {INGEST, READ, WRITE, ADMIN}, WRITE: {WRITE, READ}, READ: {READ}, INGEST: {INGEST}}


def allows(scopes: list[str], needed: str) -> bool:
    """Whether a key with `scopes` may do what needs the scope `needed`."""
    return any(needed in _IMPLIED.get(scope, set()) for scope in scopes)


class HasScope(BasePermission):
    """Reads `required_scope` of the view, a scope, several of which one is needed, or a mapping from method to these.

    Without one, reading needs `read` and everything else needs `write`. A key bound to a customer opens what says
    `takes_customer_keys`, which sees to it that it does nothing for another one.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.auth is None:
            return False
        required = getattr(view, "required_scope", None)
        if isinstance(required, dict):
            required = required.get(request.method)
        if required is None:
            required = READ if request.method in {"GET", "HEAD", "OPTIONS"} else WRITE
        accepted = (required,) if isinstance(required, str) else required
        if not any(allows(request.auth.scopes, one) for one in accepted):
            named = " or ".join(f"'{one}'" for one in accepted)
            raise ForbiddenError(f"This needs an API key with the scope {named}", code="scope_missing")
        if request.auth.customer is not None and not getattr(view, "takes_customer_keys", False):
            raise ForbiddenError("A customer's API key sends events and does nothing else", code="customer_key_refused")
        return True
