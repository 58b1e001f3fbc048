"""Members, invitations, API keys and the audit trail in the console."""

from __future__ import annotations

import csv
import re
from typing import Any

import pytest
from django.test import Client

from accounts.facade import (
    ApiKey,
    AuditEntry,
    Invitation,
    Membership,
    Organization,
    User,
    api_key_with,
    create_user,
    record_audit,
)
from tests.console.conftest import PASSWORD, Vendor, make_vendor, signed_in


def confirmed(client: Client) -> Client:
    assert client.post("/confirm", {"password": PASSWORD}).status_code == 302
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.fixture
def owner(vendor: Vendor) -> Client:
    return confirmed(vendor.client)


def member(vendor: Vendor, role: str) -> tuple[Client, Membership]:
    client = confirmed(vendor.member(role))
    return client, Membership.objects.get(user__email=f"{role}@northwind.example")


def invited_link(owner: Client, email: str, role: str = "viewer") -> str:
    page = text(owner.post("/members/invite", {"email": email, "role": role}))
    found = re.search(r"http://127.0.0.1:8000(/invitations/[\w-]+)", page)
    assert found is not None
    return found[1]


def test_a_change_needs_the_password_to_have_been_given_lately(vendor: Vendor) -> None:
    answer = vendor.client.post("/confirm", {"password": "wrong", "next": "/members"})
    assert answer.status_code == 422
    answer = vendor.client.post("/confirm", {"password": PASSWORD, "next": "/members"})
    assert answer.url == "/members"
    form = {"email": "new@example.com", "role": "viewer"}
    assert "is invited" in text(vendor.client.post("/members/invite", form))
    assert vendor.client.post("/confirm", {"password": PASSWORD, "next": "https://evil.example/"}).url == "/"


def test_the_password_asked_for_in_between_loses_nothing_that_was_filled_in(vendor: Vendor) -> None:
    form = {"email": "new&co@example.com", "role": "viewer"}
    asked = vendor.client.post("/members/invite", form, headers={"referer": "http://testserver/members"})
    page = asked.content.decode()
    assert 'action="/members/invite"' in page
    assert 'name="email" value="new&amp;co@example.com"' in page
    assert 'name="role" value="viewer"' in page
    assert '<a href="http://testserver/members">Cancel</a>' in page
    wrong = vendor.client.post("/members/invite", form | {"confirming_password": "wrong"})
    assert wrong.status_code == 422
    assert 'value="new&amp;co@example.com"' in wrong.content.decode()
    assert "wrong" not in wrong.content.decode()
    assert not Invitation.objects.exists()
    done = vendor.client.post("/members/invite", form | {"confirming_password": PASSWORD, "confirming_back": "x"})
    assert "is invited" in text(done)
    assert Invitation.objects.get().email == "new&co@example.com"
    assert "is invited" in text(vendor.client.post("/members/invite", form | {"email": "two@example.com"}))


def test_passwords_cannot_be_tried_out_where_one_is_asked_for_in_between(vendor: Vendor) -> None:
    form = {"email": "new@example.com", "role": "viewer", "confirming_password": "wrong"}
    for _ in range(12):
        refused = vendor.client.post("/members/invite", form)
    form["confirming_password"] = PASSWORD
    assert vendor.client.post("/members/invite", form).status_code == 422
    assert "try" in refused.content.decode().lower()
    assert not Invitation.objects.exists()


def test_a_new_person_joins_by_the_link_and_is_signed_in(vendor: Vendor, owner: Client) -> None:
    link = invited_link(owner, "new@example.com", "finance")
    browser = Client()
    assert "Northwind" in text(browser.get(link))
    assert browser.post(link, {"name": "New", "password": "short"}).status_code == 422
    assert browser.post(link, {"name": "New", "password": "another cab 1972"}).url == "/"
    assert "Invoices" in text(browser.get("/invoices"))
    assert browser.get("/audit").status_code == 200
    assert browser.get("/api-keys").status_code == 403
    assert Client().get(link).status_code == 404


def test_who_has_an_account_joins_when_signed_in_as_the_invited_address(vendor: Vendor, owner: Client) -> None:
    known = create_user(email="known@example.com", password=PASSWORD)
    link = invited_link(owner, "known@example.com")
    stranger = Client()
    assert f"/sign-in?next={link}" in text(stranger.get(link))
    stranger.post(link, {"password": "another cab 1972"})
    assert not Membership.objects.filter(user=known).exists()
    other = signed_in(create_user(email="other@example.com", password=PASSWORD))
    other.post(link, {"password": "another cab 1972"})
    assert not Membership.objects.filter(user=known).exists()
    assert signed_in(known).post(link).url == "/"
    assert Membership.objects.get(user=known).role == "viewer"


def test_an_admin_gives_no_role_above_their_own(vendor: Vendor) -> None:
    admin, _ = member(vendor, "admin")
    _, viewer = member(vendor, "viewer")
    assert admin.post(f"/members/{viewer.pk}/role", {"role": "owner"}).status_code == 403
    assert admin.post("/members/invite", {"email": "boss@example.com", "role": "owner"}).status_code == 403
    assert admin.post(f"/members/{viewer.pk}/role", {"role": "admin"}).status_code == 302
    viewer.refresh_from_db()
    assert viewer.role == "admin"
    boss = Membership.objects.get(role="owner")
    assert admin.post(f"/members/{boss.pk}/remove").status_code == 403


def test_the_last_owner_cannot_leave_and_is_told_why(vendor: Vendor, owner: Client) -> None:
    boss = Membership.objects.get(role="owner")
    answer = owner.post(f"/members/{boss.pk}/remove", follow=True)
    assert "at least one owner" in text(answer)
    assert Membership.objects.filter(role="owner").exists()


def test_members_of_other_organizations_are_not_found(vendor: Vendor, owner: Client) -> None:
    stranger = make_vendor("Stranger")
    theirs = Membership.objects.get(user=stranger.user)
    for action in ("role", "remove", "two-factor"):
        assert owner.post(f"/members/{theirs.pk}/{action}", {"role": "viewer"}).status_code == 404


def test_a_member_who_leaves_sees_nothing_more(vendor: Vendor) -> None:
    viewer, membership = member(vendor, "viewer")
    assert viewer.post(f"/members/{membership.pk}/remove").status_code == 302
    assert viewer.get("/").status_code == 403


def test_a_key_is_shown_once_and_revoked(vendor: Vendor, owner: Client) -> None:
    page = text(owner.post("/api-keys/create", {"name": "Nightly build", "scope": ["read", "ingest"], "days": "30"}))
    found = re.search(r'value="(tx_[\w-]+)"', page)
    assert found is not None
    key = api_key_with(found[1])
    assert key is not None
    assert key.scopes == ["ingest", "read"]
    assert found[1] not in text(owner.get("/api-keys"))
    assert owner.post(f"/api-keys/{key.pk}/revoke").status_code == 302
    assert api_key_with(found[1]) is None
    assert "opens nothing any more" in text(owner.get("/api-keys"))
    assert "Nightly build" not in text(owner.get("/api-keys"))
    assert "Nightly build" in text(owner.get("/api-keys?revoked=1"))


def test_a_developer_makes_no_key_that_may_do_more_than_they(vendor: Vendor) -> None:
    developer, _ = member(vendor, "developer")
    developer.post("/api-keys/create", {"name": "CI", "scope": ["admin"]})
    assert not ApiKey.objects.exists()
    developer.post("/api-keys/create", {"name": "CI", "scope": ["write"]})
    assert ApiKey.objects.get().created_by == "developer@northwind.example"


def test_a_key_of_a_member_who_left_is_listed_and_handed_over(vendor: Vendor, owner: Client) -> None:
    developer, membership = member(vendor, "developer")
    developer.post("/api-keys/create", {"name": "CI", "scope": ["read"]})
    assert "Keys to review" not in text(owner.get("/api-keys"))
    owner.post(f"/members/{membership.pk}/role", {"role": "viewer"})
    assert developer.get("/api-keys").status_code == 403
    key = ApiKey.objects.get()
    assert "Keys to review" in text(owner.get("/api-keys"))
    assert owner.post(f"/api-keys/{key.pk}/review").status_code == 302
    assert "is kept" in text(owner.get("/api-keys"))
    assert "Keys to review" not in text(owner.get("/api-keys"))
    owner.post(f"/members/{membership.pk}/remove")
    page = text(owner.get("/api-keys"))
    assert "has left" in page
    assert "Hand over" in page
    boss = Membership.objects.get(role="owner")
    assert owner.post(f"/api-keys/{key.pk}/hand-over", {"member": str(boss.pk)}).status_code == 302
    key.refresh_from_db()
    assert (key.maker, key.bounds) == (boss.user, ["viewer"])
    assert "answers for CI now" in text(owner.get("/api-keys"))
    assert owner.post(f"/api-keys/{key.pk}/hand-over", {"member": "nobody"}).status_code == 404


def test_a_developer_neither_revokes_nor_takes_over_an_owner_s_key(vendor: Vendor, owner: Client) -> None:
    owner.post("/api-keys/create", {"name": "CI", "scope": ["read"]})
    key = ApiKey.objects.get()
    developer, membership = member(vendor, "developer")
    assert "Revoke key" not in text(developer.get("/api-keys"))
    assert developer.post(f"/api-keys/{key.pk}/revoke").status_code == 403
    assert developer.post(f"/api-keys/{key.pk}/review").status_code == 403
    assert developer.post(f"/api-keys/{key.pk}/hand-over", {"member": str(membership.pk)}).status_code == 403
    key.refresh_from_db()
    assert key.revoked_at is None


@pytest.mark.parametrize("role", ["owner", "admin", "finance", "developer", "viewer"])
def test_no_member_reaches_the_operator_s_administration(vendor: Vendor, owner: Client, role: str) -> None:
    client = owner if role == "owner" else member(vendor, role)[0]
    for path in ("/admin/", "/admin/accounts/apikey/", "/admin/accounts/membership/add/"):
        assert client.get(path).status_code in (302, 403), path


def test_a_customer_s_key_may_only_send(vendor: Vendor, owner: Client) -> None:
    owner.post("/api-keys/create", {"name": "agents", "scope": ["ingest", "read"], "customer": "birch"})
    owner.post("/api-keys/create", {"name": "agents", "scope": ["ingest"], "customer": "nobody"})
    assert not ApiKey.objects.exists()
    owner.post("/api-keys/create", {"name": "agents", "scope": ["ingest"], "customer": "birch"})
    assert ApiKey.objects.get().customer == "birch"


def audited(organization: Organization) -> None:
    def record(actor: str, action: str, target: str, **detail: Any) -> None:
        record_audit(organization_id=organization.pk, actor=actor, action=action, target=target, **detail)

    record("ada@example.com", "plan.create", "pro", prices=2)
    record("grace@example.com", "customer.update", "birch", before={"name": "Birch"}, after={"name": "Birch & Sons"})
    record("tx_abcd…wxyz", "invoice.pay", "inv_1", total="49.00")


def test_entries_are_filtered_and_show_what_was_before_and_after(vendor: Vendor) -> None:
    audited(vendor.organization)
    page = text(vendor.client.get("/audit?actor=grace@example.com"))
    assert "<del>Birch</del>" in page
    assert "<ins>Birch &amp; Sons</ins>" in page
    assert "Plan: create" not in page
    assert "Plan: create" in text(vendor.client.get("/audit?action=plan"))
    assert "Invoice: pay" in text(vendor.client.get("/audit?target=inv_1"))
    assert "No entry fits" in text(vendor.client.get("/audit?from=2020-01-01&to=2020-01-02"))
    for hostile in ["actor=%00", "from=yesterday", "cursor=zzz", "target=" + "x" * 300]:
        assert vendor.client.get(f"/audit?{hostile}").status_code == 422, hostile


def test_entries_name_what_they_are_about_and_lead_to_it(vendor: Vendor) -> None:
    invoice = vendor.invoice_of("birch")
    subscription, plan = invoice.subscription, invoice.subscription.plan_version.plan
    stranger = make_vendor("Stranger").customer("cedar", name="Cedar")
    about = [
        (
            "invoice.pay",
            invoice.pk,
            {
                "at": "2026-11-02T06:00:00+00:00",
                "is_whole": True,
                "steps": [{"percent": "80", "actions": ["mail", "stop"]}],
                "times": ["2026-11-02T06:00:00Z"],
            },
        ),
        ("customer.update", invoice.customer_id, {}),
        ("subscription.change_seats", subscription.pk, {}),
        ("plan.archive", plan.key, {}),
        ("plan.migrate", plan.pk, {}),
        ("customer.update", stranger.pk, {}),
    ]
    for action, target, detail in about:
        record_audit(organization_id=vendor.organization.pk, action=action, target=target, **detail)
    page = text(vendor.client.get("/audit?timezone=Asia/Kolkata"))
    assert f'<a href="/invoices/{invoice.pk}">{invoice.number}</a>' in page
    assert f'<a href="/customers/{invoice.customer_id}">Birch &amp; Sons</a>' in page
    assert f'<a href="/customers/{invoice.customer_id}">Birch &amp; Sons on {plan.name}</a>' in page
    assert f'<a href="/plan/{plan.key}">{plan.key}</a>' in page
    assert f'<a href="/plan/{plan.key}">{plan.name}</a>' in page
    assert "<dt>Is whole</dt><dd>yes</dd>" in page
    assert "<dt>Steps</dt><dd>actions mail, stop, percent 80</dd>" in page
    assert ">2 Nov 2026, " in page
    assert "<dt>Times</dt><dd>2026-11-02T06:00:00Z</dd>" in page
    assert "Cedar" not in page


def test_entries_are_paged_without_counting_and_leave_as_csv(vendor: Vendor) -> None:
    for number in range(60):
        record_audit(organization_id=vendor.organization.pk, actor="=1+1", action="thing.do", target=f"t-{number:02}")
    first = text(vendor.client.get("/audit?action=thing"))
    assert "t-59" in first
    assert "t-09" not in first
    following = re.search(r'hx-get="([^"]+)"', first)
    assert following is not None
    rows = text(vendor.client.get(following[1].replace("&amp;", "&"), headers={"HX-Request": "true"}))
    assert "t-09" in rows
    assert "<html" not in rows
    answer: Any = vendor.client.get("/audit.csv?action=thing.do")
    lines = list(csv.reader(b"".join(answer.streaming_content).decode().splitlines()))
    assert len(lines) == 61
    assert lines[1][2:5] == ["'=1+1", "thing.do", "t-59"]


def test_nothing_of_another_organization_is_in_the_trail(vendor: Vendor) -> None:
    audited(make_vendor("Stranger").organization)
    assert "grace@example.com" not in text(vendor.client.get("/audit"))
    answer: Any = vendor.client.get("/audit.csv")
    assert b"grace@example.com" not in b"".join(answer.streaming_content)


def test_an_owner_resets_the_second_factor_of_who_lost_it(vendor: Vendor, owner: Client) -> None:
    _, viewer = member(vendor, "viewer")
    assert owner.post(f"/members/{viewer.pk}/two-factor").status_code == 302
    admin, _ = member(vendor, "admin")
    assert admin.post(f"/members/{viewer.pk}/two-factor").status_code == 403
    elsewhere = make_vendor("Stranger")
    Membership.objects.create(organization=elsewhere.organization, user=viewer.user, role="viewer")
    assert owner.post(f"/members/{viewer.pk}/two-factor").status_code == 403
    assert User.objects.filter(pk=viewer.user_id).exists()
    assert not AuditEntry.objects.filter(action="two_factor.disable").exists()
