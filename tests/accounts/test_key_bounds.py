"""A key never exceeds its maker: the attacks of insiders, and what becomes of keys when roles change."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.facade import (
    ApiKey,
    AuditEntry,
    Invitation,
    KeyAboveOwn,
    Membership,
    Organization,
    ScopeAboveOwn,
    User,
    accept_invitation,
    add_member,
    api_keys_of,
    change_role,
    create_api_key,
    create_organization,
    create_portal_link,
    create_user,
    hand_over_api_key,
    invite_member,
    open_portal,
    remove_member,
    review_api_key,
    revoke_api_key,
)
from accounts.services.audit import act_as
from kernel.errors import ConflictError, InvalidError, NotFoundError, UnauthenticatedError
from tests.api import Api

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 10, 1, tzinfo=UTC)
ROLES = ("owner", "admin", "finance", "developer", "viewer")


@pytest.fixture
def vendor() -> Organization:
    return create_organization(name="Vendor")


@pytest.fixture
def people(vendor: Organization) -> dict[str, User]:
    """A member of each role."""
    found = {role: create_user(email=f"{role}@example.com", password="another cab 1972") for role in ROLES}
    for role, user in found.items():
        add_member(organization=vendor, user=user, role=role)
    return found


def api_of(vendor: Organization, user: Any, *scopes: str, **fields: Any) -> tuple[Api, ApiKey]:
    """A client with a key that `user` (a person, a key, or None for the operator) made."""
    key, secret = create_api_key(organization=vendor, scopes=scopes, made_by=user, **fields)
    return Api(vendor, Client(headers={"authorization": f"Bearer {secret}"})), fresh(key)


def fresh(key: ApiKey) -> ApiKey:
    return api_keys_of(key.organization_id).get(pk=key.pk)


def membership(user: User) -> Membership:
    return Membership.objects.get(user=user)


def refused(answer: Any, status: int = 403) -> str:
    assert answer.status_code == status, answer.content
    return str(answer.json()["code"])


def test_an_admin_s_key_neither_makes_nor_changes_nor_removes_owners(
    vendor: Organization, people: dict[str, User]
) -> None:
    api, _ = api_of(vendor, people["admin"], "admin")
    admin, owner = membership(people["admin"]), membership(people["owner"])
    assert refused(api.patch(f"members/{admin.pk}", {"role": "owner"})) == "role_above_own"
    assert refused(api.patch(f"members/{owner.pk}", {"role": "viewer"})) == "role_above_own"
    assert refused(api.client.delete(f"/api/v1/members/{owner.pk}")) == "role_above_own"
    assert refused(api.post("invitations", {"email": "x@example.com", "role": "owner"})) == "role_above_own"
    _, by_owner = api_of(vendor, people["owner"], "read")
    _, by_operator = api_of(vendor, None, "admin")
    for key in (by_owner, by_operator):
        assert refused(api.client.delete(f"/api/v1/api_keys/{key.pk}")) == "key_above_own"
        assert refused(api.post(f"api_keys/{key.pk}/hand_over", {"member": "admin@example.com"})) == "key_above_own"
    assert Membership.objects.get(role="owner").user == people["owner"]
    # What admins may do in the console, their key may too.
    assert api.patch(f"members/{membership(people['viewer']).pk}", {"role": "finance"}).status_code == 200
    assert api.post("invitations", {"email": "x@example.com", "role": "admin"}).status_code == 201


def test_an_owner_s_invitation_is_not_taken_back_by_an_admin_s_key(
    vendor: Organization, people: dict[str, User]
) -> None:
    act_as(people["owner"].email, user_id=people["owner"].pk)
    made, _ = invite_member(
        organization=vendor, email="x@example.com", role="owner", by="owner", now=NOW, link_of=lambda token: token
    )
    api, _ = api_of(vendor, people["admin"], "admin")
    assert refused(api.client.delete(f"/api/v1/invitations/{made.pk}")) == "role_above_own"


def test_a_developer_s_key_moves_no_money(vendor: Organization, people: dict[str, User]) -> None:
    api, _ = api_of(vendor, people["developer"], "write")
    api.customer("acme")
    grant = {"customer": "acme", "amount": "100000", "currency": "USD"}
    attempts = [
        ("credit_grants", grant),
        ("credit_grants/grt_1/void", {}),
        ("invoices/inv_1/void", {}),
        ("invoices/inv_1/uncollectible", {}),
        ("invoices/inv_1/pay", {}),
        ("invoices/inv_1/finalize", {}),
        ("payments/pay_1/refund", {}),
        ("credit_notes", {}),
        ("coupons", {}),
        ("charges", {}),
        ("plans", {}),
        ("subscriptions", {}),
        ("billing_runs", {"month": "2026-10"}),
        ("tasks/t/outcome", {"outcome": "failed"}),
        ("bank_transfers", {}),
    ]
    for path, body in attempts:
        assert refused(api.post(path, body)) == "scope_missing", path
    assert refused(api.patch("billing_policy", {})) == "scope_missing"
    assert refused(api.patch("customers/acme", {"tax_treatment": "exempt"})) == "scope_missing"
    assert refused(api.patch("customers/acme", {"tax_rate": "0.5"})) == "scope_missing"
    assert api.patch("customers/acme", {"name": "Acme"}).status_code == 200
    assert (
        refused(api.post("exports", {"kind": "invoices", "month": "2026-10", "format": "csv"})) == "maker_not_allowed"
    )
    assert api.post("meters", {"key": "m", "event_type": "x", "aggregation": "count"}).status_code == 201
    with pytest.raises(ScopeAboveOwn):
        create_api_key(organization=vendor, scopes=["billing:write"], made_by=people["developer"])


def test_a_finance_member_s_key_moves_money_and_builds_nothing(vendor: Organization, people: dict[str, User]) -> None:
    operator, _ = api_of(vendor, None, "admin")
    operator.customer("acme")
    api, _ = api_of(vendor, people["finance"], "billing:write")
    grant = api.post("credit_grants", {"customer": "acme", "name": "Welcome", "amount": "100", "currency": "USD"})
    assert grant.status_code == 201, grant.content
    assert api.patch("customers/acme", {"tax_treatment": "exempt"}).status_code == 200
    assert refused(api.patch("customers/acme", {"tax_treatment": "exempt", "name": "A"})) == "scope_missing"
    assert refused(api.post("meters", {"key": "m", "event_type": "x", "aggregation": "count"})) == "scope_missing"
    assert refused(api.get("members")) == "scope_missing"


@pytest.mark.parametrize("role", ROLES)
def test_nobody_makes_a_key_with_a_scope_above_their_role(
    vendor: Organization, people: dict[str, User], role: str
) -> None:
    allowed = {
        "owner": {"ingest", "read", "write", "billing:write", "admin"},
        "admin": {"ingest", "read", "write", "billing:write", "admin"},
        "finance": {"read", "billing:write"},
        "developer": {"ingest", "read", "write"},
        "viewer": {"read"},
    }
    for scope in ("ingest", "read", "write", "billing:write", "admin"):
        try:
            create_api_key(organization=vendor, scopes=[scope], made_by=people[role])
        except ScopeAboveOwn:
            assert scope not in allowed[role]
        else:
            assert scope in allowed[role]
    stranger = create_user(email="stranger@example.com", password="another cab 1972")
    with pytest.raises(ScopeAboveOwn):
        create_api_key(organization=vendor, scopes=["read"], made_by=stranger)


def test_a_demoted_maker_s_next_request_is_refused_at_once(vendor: Organization, people: dict[str, User]) -> None:
    api, key = api_of(vendor, people["admin"], "admin")
    meter = {"key": "m", "event_type": "x", "aggregation": "count"}
    assert api.post("meters", meter).status_code == 201
    assert api.get("meters/m/usage/stream", **SPAN).status_code == 200
    assert api.get("members").status_code == 200
    change_role(member=membership(people["admin"]), role="viewer", by="owner")
    assert refused(api.post("meters", meter | {"key": "n"})) == "maker_not_allowed"
    assert refused(api.post("invitations", {"email": "x@example.com", "role": "viewer"})) == "maker_not_allowed"
    assert refused(api.post("events", [])) == "maker_not_allowed"
    assert api.get("meters/m/usage/stream", **SPAN).status_code == 200  # a viewer sees
    assert fresh(key).needs_review
    change_role(member=membership(people["admin"]), role="admin", by="owner")
    assert api.post("meters", meter | {"key": "n"}).status_code == 201
    remove_member(member=membership(people["admin"]), by="owner")
    for path in ("meters", "meters/m/usage/stream"):
        assert refused(api.get(path, **(SPAN if "stream" in path else {})), 401) == "api_key_ended"


SPAN = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}


def test_keys_end_with_members_who_leave_or_are_deactivated_and_not_with_others(
    vendor: Organization, people: dict[str, User]
) -> None:
    leaver, key = api_of(vendor, people["developer"], "ingest", "read")
    other, _ = api_of(vendor, people["admin"], "read")
    child, _ = api_of(vendor, None, "read")
    people["developer"].is_active = False
    people["developer"].save()
    assert refused(leaver.get("meters"), 401) == "api_key_ended"
    people["developer"].is_active = True
    people["developer"].save()
    assert leaver.get("meters").status_code == 200
    act_as(people["developer"].email)
    remove_member(member=membership(people["developer"]), by="developer")
    assert refused(leaver.get("meters"), 401) == "api_key_ended"
    assert refused(leaver.post("events", []), 401) == "api_key_ended"
    assert leaver.client.get("/v1/models").json()["error"]["code"] == "api_key_ended"
    assert (other.get("meters").status_code, child.get("meters").status_code) == (200, 200)
    # Coming back as something else gives old keys nothing.
    add_member(organization=vendor, user=people["developer"], role="owner")
    assert refused(leaver.get("meters"), 401) == "api_key_ended"
    assert fresh(key).status(NOW) == "ended"


def test_a_key_of_a_person_who_was_deleted_has_ended(vendor: Organization, people: dict[str, User]) -> None:
    api, _ = api_of(vendor, people["developer"], "read")
    people["developer"].delete()
    assert refused(api.get("meters"), 401) == "api_key_ended"


def test_a_key_made_by_a_key_ends_with_it_and_with_its_maker(vendor: Organization, people: dict[str, User]) -> None:
    api, parent = api_of(vendor, people["admin"], "admin", expires_at=datetime(2999, 1, 1, tzinfo=UTC))
    made = api.post("api_keys", {"scopes": ["admin"]}).json()
    assert (made["maker"], made["parent"], made["status"]) == ("admin@example.com", parent.pk, "active")
    assert made["expires_at"] == "2999-01-01T00:00:00Z"
    too_long = {"scopes": ["read"], "expires_at": "2999-01-02T00:00:00Z"}
    assert refused(api.post("api_keys", too_long), 422) == "expires_at_invalid"
    child = Api(vendor, Client(headers={"authorization": f"Bearer {made['secret']}"}))
    owner = membership(people["owner"])
    assert refused(child.client.delete(f"/api/v1/members/{owner.pk}")) == "role_above_own"
    grandchild = child.post("api_keys", {"scopes": ["read"]}).json()
    last = Api(vendor, Client(headers={"authorization": f"Bearer {grandchild['secret']}"}))
    assert last.get("meters").status_code == 200
    change_role(member=membership(people["admin"]), role="finance", by="owner")
    assert refused(child.post("api_keys", {"scopes": ["read"]})) == "maker_not_allowed"
    change_role(member=membership(people["admin"]), role="admin", by="owner")
    assert api.client.delete(f"/api/v1/api_keys/{parent.pk}").status_code == 204
    for one in (api, child, last):
        assert refused(one.get("meters"), 401) == "api_key_invalid"
    assert AuditEntry.objects.filter(action="api_key.revoke").count() == 3


def test_a_key_makes_none_with_scopes_that_it_does_not_have(vendor: Organization, people: dict[str, User]) -> None:
    _, reader = api_of(vendor, None, "read")
    with pytest.raises(ScopeAboveOwn):
        create_api_key(organization=vendor, scopes=["write"], made_by=reader)
    create_api_key(organization=vendor, scopes=["read"], made_by=reader)
    _, key = api_of(vendor, people["admin"], "admin")
    change_role(member=membership(people["admin"]), role="finance", by="owner")
    with pytest.raises(ScopeAboveOwn):
        create_api_key(organization=vendor, scopes=["ingest"], made_by=fresh(key))


def test_a_key_handed_over_goes_on_and_never_does_more_than_before(
    vendor: Organization, people: dict[str, User]
) -> None:
    api, key = api_of(vendor, people["admin"], "admin")
    owner = membership(people["owner"])
    remove_member(member=membership(people["admin"]), by="owner")
    assert refused(api.get("members"), 401) == "api_key_ended"
    with pytest.raises(InvalidError, match="admin"):
        hand_over_api_key(key=fresh(key), member=membership(people["developer"]), by=people["owner"])
    handed = hand_over_api_key(key=fresh(key), member=owner, by=people["owner"])
    assert (handed.maker, handed.bounds, handed.status(NOW)) == (people["owner"], ["admin"], "active")
    # The admin who left still knows the secret: it removes no owner.
    assert refused(api.client.delete(f"/api/v1/members/{owner.pk}")) == "role_above_own"
    assert api.get("members").status_code == 200
    entry = AuditEntry.objects.get(action="api_key.hand_over")
    assert (entry.target, entry.detail["after"]) == (key.pk, {"maker": "owner@example.com"})


def test_a_demoted_maker_raises_their_key_by_nobody(vendor: Organization, people: dict[str, User]) -> None:
    """An admin made a developer asks an owner to take the key over: it stays a developer's."""
    api, key = api_of(vendor, people["admin"], "admin")
    change_role(member=membership(people["admin"]), role="developer", by="owner")
    with pytest.raises(KeyAboveOwn):
        hand_over_api_key(key=fresh(key), member=membership(people["owner"]), by=people["admin"])
    hand_over_api_key(key=fresh(key), member=membership(people["owner"]), by=people["owner"])
    assert refused(api.post("credit_grants", {})) == "maker_not_allowed"
    assert refused(api.get("audit_entries")) == "maker_not_allowed"


def test_who_may_manage_which_key(vendor: Organization, people: dict[str, User]) -> None:
    keys = {role: api_of(vendor, people[role], "read")[1] for role in ROLES}
    keys |= {"operator": api_of(vendor, None, "read")[1], "root": api_of(vendor, None, "admin")[1]}
    allowed = {
        "owner": {*keys},
        "admin": {"admin", "finance", "developer", "viewer", "operator"},
        "developer": {"finance", "developer", "viewer", "operator"},
        "finance": {"finance", "developer", "viewer", "operator"},
        "viewer": {"viewer", "operator"},
    }
    ApiKey.objects.update(needs_review=True)
    for role, user in people.items():
        may = set()
        for name, key in keys.items():
            try:
                review_api_key(key=key, by=user)
            except KeyAboveOwn:
                continue
            may.add(name)
        assert may == allowed[role], role
    assert not ApiKey.objects.filter(needs_review=True).exists()
    assert AuditEntry.objects.filter(action="api_key.review").count() == len(keys)


def test_members_revoke_their_own_keys_whatever_they_may_now(vendor: Organization, people: dict[str, User]) -> None:
    _, key = api_of(vendor, people["admin"], "admin")
    change_role(member=membership(people["admin"]), role="developer", by="owner")
    with pytest.raises(KeyAboveOwn):
        revoke_api_key(key=fresh(key), at=NOW, by=people["finance"])
    revoke_api_key(key=fresh(key), at=NOW, by=people["admin"])
    with pytest.raises(ConflictError):
        review_api_key(key=fresh(key), by=people["owner"])
    with pytest.raises(ConflictError):
        hand_over_api_key(key=fresh(key), member=membership(people["owner"]), by=people["owner"])


def test_keys_for_review_are_listed_kept_and_handed_over_by_the_api(
    vendor: Organization, people: dict[str, User]
) -> None:
    api, own = api_of(vendor, people["owner"], "admin")
    _, demoted = api_of(vendor, people["developer"], "read")
    _, left = api_of(vendor, people["finance"], "read")
    change_role(member=membership(people["developer"]), role="viewer", by="owner")
    remove_member(member=membership(people["finance"]), by="owner")

    def listed() -> set[str]:
        return {one["id"] for one in api.get("api_keys", needs_review="true").json()["data"]}

    assert listed() == {demoted.pk, left.pk}
    assert refused(api.get("api_keys", needs_review="perhaps"), 422) == "filter_invalid"
    assert refused(api.post(f"api_keys/{left.pk}/review", {}), 409) == "api_key_ended"
    assert api.post(f"api_keys/{demoted.pk}/review", {}).json()["needs_review"] is False
    assert listed() == {left.pk}
    assert refused(api.post(f"api_keys/{left.pk}/hand_over", {"member": "x@example.com"}), 404) == "member_not_found"
    handed = api.post(f"api_keys/{left.pk}/hand_over", {"member": "viewer@example.com"}).json()
    assert (handed["maker"], handed["status"], handed["permissions"]) == (
        "viewer@example.com",
        "active",
        ["see", "see_reservations"],
    )
    assert listed() == set()
    shown = api.get(f"api_keys/{own.pk}").json()
    assert (shown["maker"], shown["parent"]) == ("owner@example.com", None)
    assert "manage_sign_in" not in shown["permissions"]


def test_an_invitation_works_while_its_sender_may_give_the_role(vendor: Organization, people: dict[str, User]) -> None:
    """An admin who expects to be removed invites their other address, by hand and by key."""

    def invited(email: str) -> str:
        return invite_member(
            organization=vendor, email=email, role="admin", by="admin", now=NOW, link_of=lambda token: token
        )[1]

    act_as(people["admin"].email, user_id=people["admin"].pk)
    by_hand = invited("me@example.org")
    _, key = api_of(vendor, people["admin"], "admin")
    act_as(key.hint, api_key=key.pk)
    by_key = invited("me-too@example.org")
    act_as("command line")
    by_operator = invited("colleague@example.org")
    remove_member(member=membership(people["admin"]), by="owner")
    for token in (by_hand, by_key):
        with pytest.raises(NotFoundError):
            accept_invitation(token=token, now=NOW, name="Me", password="another cab 1972")
    accept_invitation(token=by_operator, now=NOW, name="Colleague", password="another cab 1972")
    assert Invitation.objects.filter(accepted_at=None).count() == 2


def test_a_portal_link_opens_while_its_maker_may_let_customers_in(
    vendor: Organization, people: dict[str, User]
) -> None:
    def link() -> str:
        return create_portal_link(organization=vendor, customer="cus_1", now=NOW, link_of=lambda token: token)[1]

    act_as(people["developer"].email, user_id=people["developer"].pk)
    opened, kept = link(), link()
    open_portal(token=opened, now=NOW)
    _, key = api_of(vendor, people["admin"], "write")
    act_as(key.hint, api_key=key.pk)
    by_key = link()
    act_as("portal")
    asked_for = link()
    change_role(member=membership(people["developer"]), role="viewer", by="owner")
    revoke_api_key(key=key, at=NOW)
    for token in (kept, by_key):
        with pytest.raises(NotFoundError):
            open_portal(token=token, now=NOW)
    open_portal(token=asked_for, now=NOW)


def test_a_customer_s_key_stays_one_for_ingest(vendor: Organization, people: dict[str, User]) -> None:
    with pytest.raises(InvalidError):
        create_api_key(
            organization=vendor, scopes=["ingest", "billing:write"], customer="acme", made_by=people["owner"]
        )
    api, _ = api_of(vendor, people["developer"], "ingest", customer="acme")
    assert refused(api.get("events")) == "scope_missing"
    assert api.post("events", []).status_code == 200
    remove_member(member=membership(people["developer"]), by="owner")
    assert refused(api.post("events", []), 401) == "api_key_ended"


def test_a_superuser_s_key_is_an_owner_s_until_they_are_none(vendor: Organization, people: dict[str, User]) -> None:
    operator = create_user(email="operator@example.com", password="another cab 1972", is_superuser=True)
    api, _ = api_of(vendor, operator, "admin")
    assert api.patch(f"members/{membership(people['viewer']).pk}", {"role": "owner"}).status_code == 200
    operator.is_superuser = False
    operator.save()
    assert refused(api.get("members"), 401) == "api_key_ended"


@pytest.mark.django_db(transaction=True)
def test_no_key_outlives_its_parent_that_is_revoked_while_it_is_made(vendor: Organization) -> None:
    parent, _ = create_api_key(organization=vendor, scopes=["admin"])
    barrier = threading.Barrier(9)

    def make() -> None:
        barrier.wait()
        try:
            with suppress(UnauthenticatedError):  # its parent is gone already
                create_api_key(organization=vendor, scopes=["read"], made_by=fresh(parent))
        finally:
            connection.close()

    def revoke() -> None:
        barrier.wait()
        revoke_api_key(key=parent, at=NOW + timedelta(days=1))
        connection.close()

    threads = [threading.Thread(target=make) for _ in range(8)] + [threading.Thread(target=revoke)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not ApiKey.objects.filter(revoked_at=None).exists()
