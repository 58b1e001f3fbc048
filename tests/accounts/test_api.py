"""Members, invitations, keys and the audit trail through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.facade import ApiKey, add_member, create_user
from kernel.clock import system_clock, to_rfc3339
from tests.api import Api, make_api

pytestmark = pytest.mark.django_db


def with_secret(api: Api, secret: str) -> Api:
    return Api(api.organization, Client(headers={"authorization": f"Bearer {secret}"}))


def test_a_key_is_made_with_its_secret_once_and_revoked(api: Api) -> None:
    answer = api.post("api_keys", {"name": "CI", "scopes": ["read"]})
    assert answer.status_code == 201
    made = answer.json()
    other = with_secret(api, made["secret"])
    assert other.get("customers").status_code == 200
    assert other.get("api_keys").status_code == 403
    shown = api.get(f"api_keys/{made['id']}").json()
    assert "secret" not in shown
    assert shown["last_used_at"] is not None
    assert api.client.delete(f"/api/v1/api_keys/{made['id']}").status_code == 204
    assert other.get("customers").json()["code"] == "api_key_invalid"
    assert [one["id"] for one in api.get("api_keys").json()["data"]][-1] == made["id"]


def test_a_key_stops_working_when_it_expires(api: Api) -> None:
    soon = to_rfc3339(system_clock() + timedelta(hours=1))
    made = api.post("api_keys", {"scopes": ["read"], "expires_at": soon}).json()
    other = with_secret(api, made["secret"])
    assert other.get("customers").status_code == 200
    ApiKey.objects.filter(pk=made["id"]).update(expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    answer = other.get("customers")
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_expired")
    past = api.post("api_keys", {"scopes": ["read"], "expires_at": "2026-01-01T00:00:00Z"})
    assert (past.status_code, past.json()["code"]) == (422, "expires_at_invalid")


def test_the_use_of_a_key_is_noted_once_in_ten_minutes(api: Api) -> None:
    api.get("customers")
    noted = ApiKey.objects.get().last_used_at
    api.get("customers")
    assert ApiKey.objects.get().last_used_at == noted
    ApiKey.objects.update(last_used_at=system_clock() - timedelta(minutes=11))
    api.get("customers")
    assert ApiKey.objects.get().last_used_at > noted


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scopes": ["root"]}, "scope_unknown"),
        ({"scopes": []}, "scope_unknown"),
        ({"scopes": ["ingest", "read"], "customer": "acme"}, "scope_not_for_customers"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(api: Api, body: dict[str, object], code: str) -> None:
    answer = api.post("api_keys", body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_members_are_listed_changed_and_removed_and_an_owner_stays(api: Api) -> None:
    for role in ("owner", "viewer"):
        user = create_user(email=f"{role}@example.com", password="checker cab 1971")
        add_member(organization=api.organization, user=user, role=role)
    assert [(one["email"], one["role"]) for one in api.get("members").json()["data"]] == [
        ("owner@example.com", "owner"),
        ("viewer@example.com", "viewer"),
    ]
    assert api.patch("members/viewer@example.com", {"role": "finance"}).json()["role"] == "finance"
    refused = api.patch("members/owner@example.com", {"role": "viewer"})
    assert (refused.status_code, refused.json()["code"]) == (409, "last_owner")
    assert api.client.delete("/api/v1/members/viewer@example.com").status_code == 204
    assert api.get("members/viewer@example.com").status_code == 404


def test_an_invitation_is_made_listed_and_taken_back(api: Api) -> None:
    made = api.post("invitations", {"email": "New@example.com", "role": "viewer"})
    assert made.status_code == 201
    assert made.json()["link"].startswith("http://127.0.0.1:8000/invitations/")
    [listed] = api.get("invitations").json()["data"]
    assert (listed["email"], "link" in listed) == ("new@example.com", False)
    assert api.client.delete(f"/api/v1/invitations/{listed['id']}").status_code == 204
    assert api.get("invitations").json()["data"] == []
    assert api.post("invitations", {"email": "x", "role": "viewer"}).json()["code"] == "email_invalid"
    assert api.post("invitations", {"email": "x@example.com", "role": "king"}).json()["code"] == "role_unknown"


def test_the_audit_trail_is_read_newest_first_by_what_was_done(api: Api) -> None:
    for name in ("first", "second"):
        api.post("api_keys", {"name": name, "scopes": ["read"]})
    api.post("invitations", {"email": "new@example.com", "role": "viewer"})
    found = api.get("audit_entries", action="api_key").json()["data"]
    assert [one["detail"].get("name") for one in found][:2] == ["second", "first"]
    assert found[0]["actor"].startswith("tx_")
    assert api.get("audit_entries", target="new@example.com").json()["data"][0]["action"] == "member.invite"
    first = api.get("audit_entries", limit="1").json()
    assert first["data"][0]["action"] == "member.invite"
    assert api.get("audit_entries", cursor=first["next_cursor"]).json()["data"][0]["action"] == "api_key.create"


def test_a_portal_link_opens_the_portal_of_its_customer_once(api: Api) -> None:
    api.customer("acme", name="Acme Logistics")
    made = api.post("customers/acme/portal_link", {})
    assert made.status_code == 201
    path = made.json()["url"].removeprefix("http://127.0.0.1:8000")
    browser = Client()
    assert browser.post(path).status_code == 302
    assert "Acme Logistics" in browser.get("/portal/").content.decode()
    assert browser.post(path).status_code == 404
    assert api.post("customers/nobody/portal_link", {}).status_code == 404
    assert api.post("customers/acme/portal_link", {"expires_in_hours": 169}).status_code == 422


def test_nothing_of_another_organization_is_found(api: Api, another_api: Api) -> None:
    made = api.post("api_keys", {"scopes": ["read"]}).json()
    invited = api.post("invitations", {"email": "new@example.com", "role": "viewer"}).json()
    for path in (f"api_keys/{made['id']}", f"invitations/{invited['id']}"):
        assert another_api.client.delete(f"/api/v1/{path}").status_code == 404
    assert another_api.get("audit_entries", action="member").json()["data"] == []


def test_all_of_it_needs_the_scope_admin(db: None) -> None:
    writer = make_api("Writer", scope="write")
    for path in ("members", "invitations", "api_keys", "audit_entries"):
        assert writer.get(path).json()["code"] == "scope_missing"
