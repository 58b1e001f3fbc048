"""The matrix of roles, scopes and actions: what `rest.access` says is what every endpoint and every page does.

Actions are found in the URLs, so a new one is covered without anyone remembering. `tests/data/actions.txt` pins who
may do each: review its changes. To write it again, delete it and run this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from accounts.facade import add_member, create_api_key, create_organization, create_user
from kernel.errors import ForbiddenError
from rest.access import ROLES, SCOPE_ROLES, SCOPE_WORDS, SCOPES, TABLE, Permission, key_has, scopes_of_role
from rest.permissions import HasPermission, permission_of

REVIEWED = Path(__file__).parent / "data" / "actions.txt"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Reached without a key or a role: health, the API's description, the operator's administration (staff only), the
#: customers' portal and pages to pay (links and sessions of their own), Stripe's webhook (signed), signing in.
OPEN = (
    "/healthz",
    "/readyz",
    "/admin/",
    "/api/v1/schema/",
    "/api/docs/",
    "/portal/",
    "/pay/",
    "/webhooks/stripe/",
    "/sign-in",
    "/sign-out",
    "/password",
    "/invitations/",
    "/live",
)


@dataclass(frozen=True)
class Action:
    """A method at an address, and the permission that it needs."""

    kind: str
    method: str
    path: str
    permission: Permission | None
    view: Any

    @property
    def line(self) -> str:
        rule = TABLE[self.permission] if self.permission else None
        roles = " ".join(role for role in ROLES if rule and role in rule.roles)
        scopes = " ".join(scope for scope in SCOPES if rule and scope in rule.scopes) if self.kind == "api" else "-"
        return f"{self.kind} {self.method} {self.path} | {self.permission} | {roles} | {scopes}"


def patterns(resolver: Any = None, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """All views with the templates of their addresses."""
    for one in (resolver or get_resolver()).url_patterns:
        path = prefix + str(one.pattern).removeprefix("^").removesuffix("$")
        if isinstance(one, URLResolver):
            yield from patterns(one, path)
        elif isinstance(one, URLPattern):
            yield path, one.callback


def all_actions() -> list[Action]:
    found: list[Action] = []
    for path, view in patterns():
        if hasattr(view, "cls") and not path.startswith(OPEN):
            methods = [one for one in METHODS if hasattr(view.cls, one.lower())]
            found += [Action("api", one, path, permission_of(view.cls, one), view.cls) for one in methods]
        elif hasattr(view, "permission"):
            methods = [one for one in METHODS if one in view.methods]
            found += [
                Action("console", one, path, view.permission if one == "GET" else view.post_permission, view)
                for one in methods
            ]
    return found


ACTIONS = all_actions()
API = [one for one in ACTIONS if one.kind == "api"]


def test_every_address_is_reviewed() -> None:
    known = {one.path for one in ACTIONS}
    assert [path for path, _ in patterns() if path not in known and not path.startswith(OPEN)] == []
    assert len(API) > 180
    assert len(ACTIONS) - len(API) > 150


def test_every_action_names_the_permission_that_it_needs() -> None:
    assert [f"{one.method} {one.path}" for one in ACTIONS if not isinstance(one.permission, Permission)] == []


def test_nothing_that_changes_something_needs_only_that_one_may_see() -> None:
    calculates = "/api/v1/pricing/calculate"
    seeing = {Permission.SEE, Permission.SEE_AUDIT, Permission.SEE_MEMBERS, Permission.SEE_WEBHOOKS}
    changing = [one for one in ACTIONS if one.method != "GET" and one.permission in seeing]
    assert [one.path for one in changing] == [calculates]


def test_who_may_do_what_is_as_reviewed() -> None:
    listing = "".join(f"{line}\n" for line in sorted(one.line for one in ACTIONS))
    if not REVIEWED.exists():
        REVIEWED.write_text(listing)
        pytest.fail(f"{REVIEWED} was written. Review it")
    assert listing.splitlines() == REVIEWED.read_text().splitlines()


def test_every_scope_and_role_together_allow_what_the_table_says() -> None:
    """The whole matrix, asked of what stands before every view."""
    check, wrong = HasPermission(), []
    for action, scope, role in product(API, SCOPES, (None, *ROLES)):
        bounds = () if role is None else (role,)
        key = SimpleNamespace(scopes=[scope], roles=bounds, customer=None)
        request = SimpleNamespace(method=action.method, auth=key)
        try:
            is_allowed = check.has_permission(request, action.view())
        except ForbiddenError:
            is_allowed = False
        assert action.permission is not None
        if is_allowed is not key_has(action.permission, scopes=[scope], roles=bounds):
            wrong.append((action.line, scope, role))
    assert wrong == []


@pytest.mark.django_db
def test_every_endpoint_refuses_the_keys_that_the_table_refuses_and_no_others() -> None:
    """By requests: a key of each scope that the operator made, and one of each role with all that the role may give."""
    organization = create_organization(name="Vendor")
    keys: list[tuple[tuple[str, ...], tuple[str, ...], Client]] = []
    for scope in SCOPES:
        _, secret = create_api_key(organization=organization, scopes=[scope])
        keys.append(((scope,), (), Client(headers={"authorization": f"Bearer {secret}"})))
    for role in ROLES:
        user = create_user(email=f"{role}@example.com", password="another cab 1972")
        add_member(organization=organization, user=user, role=role)
        _, secret = create_api_key(organization=organization, scopes=scopes_of_role(role), made_by=user)
        keys.append((scopes_of_role(role), (role,), Client(headers={"authorization": f"Bearer {secret}"})))
    wrong = []
    for action, (scopes, roles, client) in product(API, keys):
        client.raise_request_exception = False
        answer = client.generic(action.method, example_of(action.path), b"{}", content_type="application/json")
        is_refused = answer.status_code == 403 and any(
            code in answer.content for code in (b"scope_missing", b"maker_not_allowed")
        )
        assert action.permission is not None
        if is_refused is key_has(action.permission, scopes=scopes, roles=roles):
            wrong.append((action.line, scopes, roles, answer.status_code))
    assert wrong == []


def test_the_documentation_has_the_table_as_it_is() -> None:
    page = (Path(__file__).parents[1] / "docs/members.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:3] == "| `"]
    expected = [
        [
            f"`{permission}`",
            rule.words,
            *("yes" if role in rule.roles else "" for role in ROLES),
            ", ".join(f"`{scope}`" for scope in SCOPES if scope in rule.scopes),
        ]
        for permission, rule in TABLE.items()
    ]
    expected += [
        [f"`{scope}`", words, ", ".join(role for role in ROLES if role in SCOPE_ROLES[scope])]
        for scope, words in SCOPE_WORDS.items()
    ]
    assert rows == expected


def test_the_api_describes_the_scopes_that_each_operation_needs() -> None:
    schema = SchemaGenerator().get_schema(public=True)
    described = {
        (method.upper(), path): operation.get("x-permission")
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }
    assert len(described) > 180
    assert [one for one, permission in described.items() if permission is None] == []
    text = schema["components"]["securitySchemes"]["ApiKey"]["description"]
    assert all(f"`{scope}`" in text for scope in SCOPES)
    grant = schema["paths"]["/api/v1/credit_grants"]["post"]
    assert (grant["x-permission"], grant["x-scopes"]) == ("move_money", ["billing:write", "admin"])
    assert "`billing:write` or `admin`" in grant["description"]


def example_of(path: str) -> str:
    """An address of nothing that exists."""
    path = path.replace("(?P<action>pause|resume)", "pause").replace("(?P<action>refresh|finalize)", "refresh")
    parts = path.replace("[^/]+", "x").split("/")
    return "/".join("1" if part.startswith("<int:") else "x" if part[:1] in "<(" and part else part for part in parts)
