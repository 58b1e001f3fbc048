"""From an invoice to its lines, how each came about, and the events behind it; and who may settle it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import AuditEntry
from billing.facade import InvoiceLine, close_month, invoices_of, runs_of
from billing.models import BillingPolicy
from kernel.period import Month
from tests.console.conftest import Vendor


def text(page: bytes) -> str:
    """What stands on a page, tags taken out and white space folded."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode()))


def line_of(vendor: Vendor, customer: str, price: str) -> InvoiceLine:
    return next(line for line in vendor.invoice_of(customer).lines.all() if line.price.key == price)


def test_an_invoice_shows_its_lines_and_total(vendor: Vendor) -> None:
    # 49 + (503 - 500) x 0.04 + 100 x 0.01 + 150 x 0.005 = 49 + 0.12 + 1.00 + 0.75
    page = text(vendor.client.get(f"/invoices/{vendor.invoice_of('birch').pk}").content)
    assert "Total USD $50.87" in page
    assert "503 turns" in page
    assert "250 seconds" in page


def test_a_line_says_step_by_step_how_it_was_computed(vendor: Vendor) -> None:
    page = text(vendor.client.get(f"/invoices/{vendor.invoice_of('birch').pk}").content)
    assert "500 turns are included: of 503, 3 are left to charge" in page
    assert "3 turns, each at the same price: $0.12" in page
    assert "250 seconds, each at the price of its own tier: $1.75" in page


def test_tiers_stand_as_rows_of_the_breakdown(vendor: Vendor) -> None:
    page = text(vendor.client.get(f"/invoices/{vendor.invoice_of('birch').pk}").content)
    assert "0 \u2013 100 100 $0.01 $1.00" in page
    assert "100 \u2013 250 150 $0.005 $0.75" in page


def test_all_the_events_of_a_line_are_reached_fifty_at_a_time(committed_vendor: Vendor) -> None:
    line = line_of(committed_vendor, "birch", "turns")
    address = f"/invoices/{line.invoice_id}/lines/{line.pk}/events"
    identities: list[str] = []
    pages = 0
    while address:
        page = committed_vendor.client.get(address, headers={"HX-Request": "true"}).content.decode()
        identities += re.findall(r'href="/events/([0-9a-f-]{36})"', page)
        following = re.search(r'hx-get="([^"]+)"', page)
        address = following.group(1) if following else ""
        pages += 1
    assert line.events == 503
    assert len(identities) == len(set(identities)) == 503
    assert pages == 11


def test_the_events_of_a_line_are_a_page_of_their_own_without_scripts(committed_vendor: Vendor) -> None:
    line = line_of(committed_vendor, "acme", "turns")
    page = committed_vendor.client.get(f"/invoices/{line.invoice_id}/lines/{line.pk}/events").content.decode()
    assert "<!doctype html>" in page
    assert len(set(re.findall(r'href="/events/[0-9a-f-]{36}"', page))) == 3


def test_a_fixed_line_has_no_events(vendor: Vendor) -> None:
    line = line_of(vendor, "birch", "base")
    page = vendor.client.get(f"/invoices/{line.invoice_id}/lines/{line.pk}/events")
    assert "No event was counted" in page.content.decode()


def test_the_list_sums_by_currency_without_void_invoices(vendor: Vendor) -> None:
    # 3 x 0.05 = 0.15 for acme, and 50.87 for birch
    assert "$51.02" in text(vendor.client.get("/invoices").content)
    vendor.client.post(f"/invoices/{vendor.invoice_of('acme').pk}/void")
    page = text(vendor.client.get("/invoices").content)
    assert "Total USD $50.87" in page
    assert "Still due USD $50.87" in page


@pytest.mark.parametrize(("action", "status"), [("pay", "paid"), ("void", "void")])
@pytest.mark.parametrize("role", ["owner", "admin", "finance"])
def test_those_who_may_settle_an_invoice_do_and_it_is_written_down(
    vendor: Vendor, role: str, action: str, status: str
) -> None:
    client = vendor.client if role == "owner" else vendor.member(role)
    invoice = vendor.invoice_of("birch")
    answer = client.post(f"/invoices/{invoice.pk}/{action}", follow=True)
    assert vendor.invoice_of("birch").status == status
    assert "Amount due $0.00" in text(answer.content)
    entry = AuditEntry.objects.get(action=f"invoice.{action}")
    assert entry.target == invoice.pk
    assert entry.actor == (vendor.user.email if role == "owner" else f"{role}@northwind.example")


def test_a_draft_is_priced_anew_and_finalized(vendor: Vendor) -> None:
    BillingPolicy.objects.create(organization=vendor.organization, grace_hours=48)
    close_month(organization=vendor.organization, month=Month(2026, 11), now=datetime(2026, 12, 1, tzinfo=UTC))
    draft = invoices_of(vendor.organization.pk, customer="birch", status="draft").get()
    page = text(vendor.client.get(f"/invoices/{draft.pk}").content)
    assert "Draft invoice draft" in page
    assert "Finalize" in page
    assert vendor.client.post(f"/invoices/{draft.pk}/refresh").status_code == 302
    assert vendor.client.post(f"/invoices/{draft.pk}/finalize").status_code == 302
    draft.refresh_from_db()
    assert (draft.status, draft.number is not None) == ("finalized", True)
    assert AuditEntry.objects.filter(action="invoice.finalize", target=draft.pk).exists()
    again = vendor.client.post(f"/invoices/{draft.pk}/finalize", follow=True)
    assert "is final already" in text(again.content)


@pytest.mark.parametrize("role", ["developer", "viewer"])
def test_others_may_look_and_change_nothing(vendor: Vendor, role: str) -> None:
    client = vendor.member(role)
    invoice = vendor.invoice_of("birch")
    assert "Void" not in client.get(f"/invoices/{invoice.pk}").content.decode()
    assert client.post(f"/invoices/{invoice.pk}/pay").status_code == 403
    assert client.post(f"/invoices/{invoice.pk}/void").status_code == 403
    assert client.post("/runs", {"month": "2026-10"}).status_code == 403
    assert "Close month" not in client.get("/runs").content.decode()
    assert vendor.invoice_of("birch").status == "finalized"
    assert runs_of(vendor.organization.pk).count() == 1
    assert not AuditEntry.objects.filter(action__startswith="invoice.").exists()


def test_a_void_invoice_is_not_paid(vendor: Vendor) -> None:
    invoice = vendor.invoice_of("birch")
    vendor.client.post(f"/invoices/{invoice.pk}/void")
    answer = vendor.client.post(f"/invoices/{invoice.pk}/pay")
    assert answer.status_code == 409
    assert vendor.invoice_of("birch").status == "void"
    assert AuditEntry.objects.filter(action__startswith="invoice.").count() == 1


def test_closing_a_month_starts_a_run_once_and_is_written_down(
    vendor: Vendor, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        answer = vendor.client.post("/runs", {"month": "2025-01"}, follow=True)
    assert len(callbacks) == 1
    assert "Closing Jan 2025 has started" in text(answer.content)
    assert 'hx-trigger="every' in answer.content.decode()
    run = runs_of(vendor.organization.pk).get(month="2025-01")
    assert run.status == "queued"
    assert AuditEntry.objects.filter(action="billing_run.start", target=run.pk).count() == 1


def test_the_list_of_finished_runs_asks_for_nothing_again(vendor: Vendor) -> None:
    assert 'hx-trigger="every' not in vendor.client.get("/runs").content.decode()


@pytest.mark.parametrize("month", ["2999-01", "13", ""])
def test_a_month_that_cannot_be_closed_starts_nothing(vendor: Vendor, month: str) -> None:
    assert vendor.client.post("/runs", {"month": month}).status_code == 422
    assert runs_of(vendor.organization.pk).count() == 1
