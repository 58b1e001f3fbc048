"""The portal: a customer sees all of itself, nothing of anybody else, and nothing that is the vendor's own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from accounts.facade import ApiKey, PortalAccess, create_portal_link, revoke_portal_access
from agents.facade import advance_task_summaries
from billing.facade import Customer, get_customer, upcoming_invoices
from budgets.facade import create_budget
from console.portal import urls
from kernel.clock import system_clock
from metering.facade import advance_projections
from notifications.models import Mail
from tests.console.conftest import Vendor, task_events, turns


def open_portal(vendor: Vendor, customer: Customer) -> Client:
    browser = Client()
    _, link = create_portal_link(
        organization=vendor.organization,
        customer=customer.pk,
        now=system_clock(),
        link_of=lambda token: f"/portal/open/{token}",
    )
    assert browser.get(link).status_code == 200
    assert browser.post(link).url == "/portal/"
    assert browser.post(link).status_code == 404
    return browser


def customer_of(vendor: Vendor, key: str) -> Customer:
    return get_customer(organization_id=vendor.organization.pk, customer=key)


def text(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.fixture
def birch(vendor: Vendor) -> Client:
    """The portal of `birch`, which worked today too."""
    vendor.record(turns("birch", 20, start=system_clock()))
    advance_projections()
    advance_task_summaries()
    return open_portal(vendor, customer_of(vendor, "birch"))


def paths(vendor: Vendor, key: str) -> list[str]:
    """Every address of the portal with what belongs to a customer."""
    invoice = vendor.invoice_of(key)
    line = next(line for line in invoice.lines.all() if line.events)
    return [
        f"/portal/invoices/{invoice.pk}",
        f"/portal/invoices/{invoice.pk}/pdf",
        f"/portal/invoices/{invoice.pk}/lines/{line.pk}/events",
        f"/portal/task?id={'task-birch' if key == 'birch' else 'acme-1005'}",
    ]


GENERAL = ["/portal/", "/portal/invoices", "/portal/tasks", "/portal/budgets", "/portal/keys", "/portal/details"]


def test_a_customer_sees_usage_invoices_events_tasks_and_the_pdf(vendor: Vendor, birch: Client) -> None:
    for path in [*GENERAL, *paths(vendor, "birch")]:
        assert birch.get(path).status_code == 200, path
    overview = text(birch.get("/portal/"))
    assert "Upcoming invoice" in overview
    assert "20 of 500" in overview
    assert birch.get(paths(vendor, "birch")[1]).content.startswith(b"%PDF")


def test_a_line_leads_to_its_events(committed_vendor: Vendor) -> None:
    birch = open_portal(committed_vendor, customer_of(committed_vendor, "birch"))
    page = paths(committed_vendor, "birch")[2]
    assert "birch-1006/turn-1" in text(birch.get(page))
    rows = text(birch.get(page, headers={"HX-Request": "true"}))
    assert "/portal/task?id=birch-1006" in rows
    assert "<html" not in rows
    acme = open_portal(committed_vendor, customer_of(committed_vendor, "acme"))
    assert acme.get(page).status_code == 404


def test_what_is_another_customer_s_is_not_found(vendor: Vendor, birch: Client) -> None:
    assert [birch.get(path).status_code for path in paths(vendor, "acme")] == [404] * 4
    birch_key = birch.post("/portal/keys", {"name": "mine"})
    assert "tx_" in text(birch_key)
    acme = open_portal(vendor, customer_of(vendor, "acme"))
    key = ApiKey.objects.get(customer="birch")
    assert acme.post(f"/portal/keys/{key.pk}/revoke").status_code == 404
    assert "mine" not in text(acme.get("/portal/keys"))
    budget = create_budget(
        organization=vendor.organization, key="portal-x", scope="customer", customer="birch",
        measure={"money": "spend"}, amount=Decimal(5), period="billing_period",
        thresholds=[{"percent": "100", "actions": ["mail"], "recipients": ["ap@birch.example"]}],
    )  # fmt: skip
    assert acme.post(f"/portal/budgets/{budget.pk}/remove").status_code == 404
    assert "Birch" not in "".join(text(acme.get(path)) for path in GENERAL)


def test_every_address_of_the_portal_is_walked_by_these_tests(vendor: Vendor) -> None:
    walked = {
        re.sub(r"(inv|il|bud|key)_\w+", "x", path.partition("?")[0]) for path in [*GENERAL, *paths(vendor, "birch")]
    }
    walked |= {"/portal/keys/x/revoke", "/portal/budgets/x/remove"}
    open_to_all = {"/portal/sign-in", "/portal/sign-out", "/portal/open/x", "/portal/colours.css"}
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        address = reverse(f"portal:{pattern.name}", args=["x"] * len(pattern.pattern.converters))
        assert any(re.fullmatch(address.replace("x", r"\w+"), one) for one in walked) or address in open_to_all, address


def test_nothing_that_is_the_vendor_s_own_is_on_a_page(vendor: Vendor, birch: Client) -> None:
    create_budget(
        organization=vendor.organization, key="secret-cost", name="Internal", scope="customer", customer="birch",
        measure={"money": "cost"}, amount=Decimal(5), period="month",
        thresholds=[{"percent": "50", "actions": ["mail"], "recipients": ["cfo@northwind.example"]}],
    )  # fmt: skip
    for path in [*GENERAL, *paths(vendor, "birch")]:
        if path.endswith("/pdf"):
            continue
        page = text(birch.get(path)).lower()
        for word in ("margin", "vendor cost", "0.25", "secret-cost", "cfo@northwind", "owner@northwind", "acme"):
            assert word not in page, (path, word)


def test_events_that_others_give_to_a_task_are_not_shown(vendor: Vendor) -> None:
    start = datetime(2026, 10, 8, 9, tzinfo=UTC)
    theirs = task_events("birch", start=start)
    for one in theirs:
        one["subject"], one["id"] = "acme", f"acme-{one['id']}"
        one["data"]["choice"] = "stolen" if "choice" in one["data"] else None
    vendor.record([{**one, "data": {k: v for k, v in one["data"].items() if v is not None}} for one in theirs])
    advance_task_summaries()
    for key in ("birch", "acme"):
        answer = open_portal(vendor, customer_of(vendor, key)).get("/portal/task?id=task-birch")
        if key == "birch" and answer.status_code == 200:
            assert "stolen" not in text(answer)
        if key == "acme" and answer.status_code == 200:
            assert "refund" not in text(answer)


def test_the_portal_s_session_opens_no_console_and_the_console_s_no_portal(vendor: Vendor, birch: Client) -> None:
    for path in ("/", "/customers", "/invoices", "/audit", "/members", "/admin/"):
        assert birch.get(path).status_code == 302, path
    assert birch.get("/api/v1/customers").status_code == 401
    for path in GENERAL:
        assert vendor.client.get(path).url == "/portal/sign-in", path


def test_a_session_ends_when_it_is_revoked_and_by_signing_out(vendor: Vendor, birch: Client) -> None:
    assert birch.post("/portal/sign-out").url == "/portal/sign-in"
    assert birch.get("/portal/").status_code == 302
    other = open_portal(vendor, customer_of(vendor, "birch"))
    revoke_portal_access(
        organization_id=vendor.organization.pk, customer=customer_of(vendor, "birch").pk, now=system_clock()
    )
    assert other.get("/portal/").status_code == 302


def test_a_link_is_asked_for_by_mail_and_the_answer_tells_nothing(vendor: Vendor) -> None:
    Customer.objects.filter(key="birch").update(email="ap@birch.example")
    browser = Client()
    answers = {
        re.sub(r'value="\w{64}"', "", text(browser.post("/portal/sign-in", {"email": email})))
        for email in ("AP@birch.example", "nobody@example.com", "nonsense", "")
    }
    assert len(answers) == 1
    mail = Mail.objects.get(kind="portal_link")
    link = mail.context["link"].removeprefix("http://127.0.0.1:8000")
    assert browser.post(link).url == "/portal/"
    assert "Birch" in text(browser.get("/portal/"))
    for _ in range(20):
        browser.post("/portal/sign-in", {"email": "ap@birch.example"})
    assert PortalAccess.objects.count() == 5


def test_alerts_keys_and_details_are_the_customer_s_to_change(vendor: Vendor, birch: Client) -> None:
    assert "which address" in text(birch.post("/portal/budgets", {"amount": "250"}, follow=True))
    birch.post("/portal/details", {"email": "ap@birch.example", "city": "Berlin", "country": "DE"})
    changed = customer_of(vendor, "birch")
    assert (changed.email, changed.address) == ("ap@birch.example", {"city": "Berlin", "country": "DE"})
    for amount in ("0", "-1", "x", "1e999", ""):
        birch.post("/portal/budgets", {"amount": amount})
    page = text(birch.post("/portal/budgets", {"amount": "250"}, follow=True))
    assert "Alert at $250.00" in page
    assert page.count("Alert at") == 2  # its name, and what a screen reader hears of its button


def test_what_was_typed_is_there_again_where_it_was_refused(vendor: Vendor, birch: Client) -> None:
    before = customer_of(vendor, "birch").email
    refused = birch.post("/portal/details", {"email": "nobody", "line1": "Main Street 1", "city": "Berlin"})
    assert refused.status_code == 422
    page = text(refused)
    assert "This is not an e-mail address." in page
    for typed in ("nobody", "Main Street 1", "Berlin"):
        assert f'value="{typed}"' in page
    assert customer_of(vendor, "birch").email == before
    birch.post("/portal/details", {"email": "ap@birch.example"})
    refused = birch.post("/portal/budgets", {"amount": "25o"})
    assert refused.status_code == 422
    assert 'value="25o"' in text(refused)


def test_what_is_not_there_is_told_in_the_portal_s_own_words(birch: Client) -> None:
    for address in ("/portal/invoices/inv_none", "/portal/task?id=none", "/portal/none"):
        answer = birch.get(address)
        assert answer.status_code == 404
        assert "another organization" not in text(answer)
        assert 'href="/portal/"' in text(answer)
        assert 'href="/"' not in text(answer)
    assert "<title>Nothing here · Northwind</title>" in text(birch.get("/portal/invoices/inv_none"))


def test_a_task_that_is_charged_by_the_period_is_not_said_to_be_free(vendor: Vendor, birch: Client) -> None:
    page = text(birch.get("/portal/task?id=task-birch"))
    assert "all is charged by the period" in page
    assert "$0.00" not in page
    assert "$0.00" not in text(birch.get("/portal/tasks"))


def test_the_estimate_is_a_straight_line_to_the_end_of_the_period(vendor: Vendor) -> None:
    customer = customer_of(vendor, "acme")
    now = datetime(2026, 11, 16, tzinfo=UTC)  # half of November
    vendor.record(turns("acme", 10, start=datetime(2026, 11, 3, 9, tzinfo=UTC)))
    [so_far] = upcoming_invoices(customer=customer, now=now)
    [foreseen] = upcoming_invoices(customer=customer, now=now, foreseen=True)
    assert f"{so_far.total:f}" == "0.50"
    assert f"{foreseen.total:f}" == "1.00"


def test_pages_bring_the_policy_and_the_colour_of_the_organization(birch: Client) -> None:
    assert "unsafe" not in birch.get("/portal/").headers["Content-Security-Policy"]
    assert "style=" not in text(birch.get("/portal/"))
    assert "--accent: #" in text(birch.get("/portal/colours.css"))
