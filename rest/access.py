"""Roles and scopes: the one table of who may do what, for members in the console and for API keys.

An action of the console or the API names the permission it needs. A member has the permissions of their role. A key
has a permission if one of its scopes gives it and the present role of the member who made it has it too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

OWNER, ADMINISTRATOR, FINANCE, DEVELOPER, VIEWER = ROLES = ("owner", "admin", "finance", "developer", "viewer")
INGEST, READ, WRITE, BILLING_WRITE, ADMIN = SCOPES = ("ingest", "read", "write", "billing:write", "admin")

#: From the role that may do most to the one that may do least. Finance and developer may do different things, so
#: neither is above the other.
RANKS: Mapping[str, int] = {OWNER: 0, ADMINISTRATOR: 1, FINANCE: 2, DEVELOPER: 2, VIEWER: 3}


class Permission(StrEnum):
    SEE = "see"
    SEND_EVENTS = "send_events"
    CHECK_BUDGETS = "check_budgets"
    SEE_RESERVATIONS = "see_reservations"
    MOVE_MONEY = "move_money"
    EXPORT = "export"
    BUILD = "build"
    CHANGE_CUSTOMERS = "change_customers"
    VOID_EVENTS = "void_events"
    MANAGE_KEYS = "manage_keys"
    SEE_WEBHOOKS = "see_webhooks"
    MANAGE_WEBHOOKS = "manage_webhooks"
    SET_BUDGETS = "set_budgets"
    LET_CUSTOMERS_IN = "let_customers_in"
    CONNECT_PROVIDERS = "connect_providers"
    RECALL_MODELS = "recall_models"
    SEE_AUDIT = "see_audit"
    MANAGE_PRIVACY = "manage_privacy"
    SEE_MEMBERS = "see_members"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_SIGN_IN = "manage_sign_in"
    OWN_ACCOUNT = "own_account"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who has a permission: members of these roles, and keys with one of these scopes. Without a scope, no key has."""

    words: str
    roles: frozenset[str]
    scopes: frozenset[str]


def _rule(words: str, roles: Iterable[str], *scopes: str) -> Rule:
    return Rule(words, frozenset(roles), frozenset(scopes))


_OWNERS = (OWNER,)
_ADMINS = (OWNER, ADMINISTRATOR)
_MONEY = (OWNER, ADMINISTRATOR, FINANCE)
_BUILDERS = (OWNER, ADMINISTRATOR, DEVELOPER)
_WORKERS = (OWNER, ADMINISTRATOR, FINANCE, DEVELOPER)

TABLE: Mapping[Permission, Rule] = {
    Permission.SEE: _rule("Read everything but what follows", ROLES, READ, WRITE, BILLING_WRITE, ADMIN),
    Permission.SEND_EVENTS: _rule("Send events and call models", _BUILDERS, INGEST, ADMIN),
    Permission.CHECK_BUDGETS: _rule("Ask for entitlements and reserve budget", _BUILDERS, INGEST, WRITE, ADMIN),
    Permission.SEE_RESERVATIONS: _rule("Read reservations", ROLES, INGEST, READ, WRITE, BILLING_WRITE, ADMIN),
    Permission.MOVE_MONEY: _rule(
        "Take and refund payments, void and write off, finalize, close months, grant credit, change plans, prices,"
        " subscriptions, coupons, charges, tax and billing settings, judge outcomes",
        _MONEY,
        BILLING_WRITE,
        ADMIN,
    ),
    Permission.EXPORT: _rule("Start and schedule exports", _MONEY, WRITE, BILLING_WRITE, ADMIN),
    Permission.BUILD: _rule(
        "Create customers, change their details, meters, features and agents, correct events, replay webhooks",
        _BUILDERS,
        WRITE,
        ADMIN,
    ),
    Permission.CHANGE_CUSTOMERS: _rule(
        "Change a customer: its currency and tax with move_money, everything else with build",
        _WORKERS,
        WRITE,
        BILLING_WRITE,
        ADMIN,
    ),
    Permission.VOID_EVENTS: _rule(
        "Void an event (all that one key sent: as what moves money)", _WORKERS, WRITE, BILLING_WRITE, ADMIN
    ),
    Permission.MANAGE_KEYS: _rule("Create, hand over, review and revoke API keys", _BUILDERS, ADMIN),
    Permission.SEE_WEBHOOKS: _rule(
        "Read webhook endpoints and deliveries", _BUILDERS, READ, WRITE, BILLING_WRITE, ADMIN
    ),
    Permission.MANAGE_WEBHOOKS: _rule("Create, change and remove webhook endpoints", _BUILDERS, ADMIN),
    Permission.SET_BUDGETS: _rule("Set budgets", _WORKERS, WRITE, ADMIN),
    Permission.LET_CUSTOMERS_IN: _rule("Create and revoke links into the portal", _WORKERS, WRITE, ADMIN),
    Permission.CONNECT_PROVIDERS: _rule("Connect payment providers", _ADMINS, ADMIN),
    Permission.RECALL_MODELS: _rule(
        "Add, load and recall models, in the organization that runs the installation", _ADMINS, ADMIN
    ),
    Permission.SEE_AUDIT: _rule("Read the audit trail", _MONEY, ADMIN),
    Permission.MANAGE_PRIVACY: _rule(
        "Export, merge, anonymize and erase customers, set how long their documents are kept", _ADMINS, ADMIN
    ),
    Permission.SEE_MEMBERS: _rule("Read the list of members", ROLES, ADMIN),
    Permission.MANAGE_MEMBERS: _rule("Invite, change and remove members, of roles up to their own", _ADMINS, ADMIN),
    Permission.MANAGE_SIGN_IN: _rule("Set how members sign in, reset a member's second factor", _OWNERS),
    Permission.OWN_ACCOUNT: _rule("Change their own account, leave the organization", ROLES),
}

#: What each scope is for, and the roles whose members may create keys with it or take them over.
SCOPE_WORDS: Mapping[str, str] = {
    INGEST: "Send events, call models, ask for entitlements",
    READ: "Read everything but members, keys and the audit trail",
    WRITE: "Read, and change what moves no money: meters, features, agents, customers, budgets, portal links, exports",
    BILLING_WRITE: "Read, and move money: payments, refunds, credit, invoices, plans, subscriptions, exports",
    ADMIN: "Everything its maker may do, but how members sign in",
}
SCOPE_ROLES: Mapping[str, frozenset[str]] = {
    INGEST: frozenset(_BUILDERS),
    READ: frozenset(ROLES),
    WRITE: frozenset(_BUILDERS),
    BILLING_WRITE: frozenset(_MONEY),
    ADMIN: frozenset(_ADMINS),
}


def permissions_of_role(role: str) -> frozenset[Permission]:
    """Permissions of members of the role `role`."""
    return frozenset(one for one, rule in TABLE.items() if role in rule.roles)


def scopes_of_role(role: str) -> tuple[str, ...]:
    """Scopes of the keys that members of the role `role` may create, in the order of `SCOPES`."""
    return tuple(scope for scope in SCOPES if role in SCOPE_ROLES[scope])


def key_has(permission: Permission, *, scopes: Collection[str], roles: Iterable[str]) -> bool:
    """True if a key with `scopes` has `permission`, where each of `roles` bounds it (none: its scopes alone do)."""
    rule = TABLE[permission]
    return not rule.scopes.isdisjoint(scopes) and all(role in rule.roles for role in roles)


def is_above(role: str, other: str) -> bool:
    """True if members of `role` may do more than those of `other`."""
    return RANKS[role] < RANKS[other]
