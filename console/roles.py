"""Roles in words, and which of them somebody may give."""

from __future__ import annotations

from accounts.facade import Role, require_may_give
from kernel.errors import ForbiddenError

ROLE_WORDS = {
    "owner": "Everything, and how members sign in",
    "admin": "Everything but owners and how members sign in",
    "finance": "Invoices, payments, plans, credits and closing months; looks at all else",
    "developer": "API keys, meters and webhooks; looks at all else",
    "viewer": "Looks at everything and changes nothing",
}


def may_give(own: str) -> frozenset[str]:
    """The roles that somebody of the role `own` may give, take and touch."""
    return frozenset(role for role in Role.values if _is_allowed(own, role))


def _is_allowed(own: str, role: str) -> bool:
    try:
        require_may_give(own, role)
    except ForbiddenError:
        return False
    return True
