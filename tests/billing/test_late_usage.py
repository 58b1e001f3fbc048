"""Usage that comes after its period was invoiced, drafts that wait for it, and thresholds that do not wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.invariants import check_all
from billing.invoicing.drafts import finalize_due_drafts
from billing.invoicing.late_usage import find_late_usage, invoice_left_late_usage
from billing.invoicing.thresholds import invoice_thresholds
from kernel.period import Month
from tests.api import Api
from tests.billing.test_billing_periods import close_months, end, fee, plan, usage
from tests.billing.test_closing_a_month import close

Make = Callable[..., Any]

pytestmark = pytest.mark.django_db(transaction=True)


def roles(invoice: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(line["role"], line["price"], line["quantity"], line["amount"]) for line in invoice["lines"]]


def late(vendor: Api) -> list[tuple[str, str, str]]:
    found = vendor.get("late_usage").json()["data"]
    return [(one["resolution"], one["quantity"], one["amount"]) for one in found]


def test_late_usage_is_charged_once_with_the_next_invoice(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, usage("2"))
    subscribe("acme", "p", "2026-09-01T00:00:00Z", tax_rate="0.10")
    send("acme", "agent.turn", 3, day="2026-09-05T10:00:00Z")
    [september] = close_months(vendor, "2026-09", "2026-09")
    send("acme", "agent.turn", 4, name="late", day="2026-09-06T10:00:00Z")
    vendor.post("events/void", {"source": "test", "id": "acme-agent.turn-e-0", "reason": "a retry"})
    send("acme", "agent.turn", 1, name="october", day="2026-10-06T10:00:00Z")
    [change] = vendor.get(f"invoices/{september['id']}/late_usage").json()["data"]
    assert (change["billed_quantity"], change["quantity"], change["amount"]) == ("3", "6", "6.00")
    _, october = close_months(vendor, "2026-10", "2026-10")
    assert roles(october) == [("charge", "u", "1", "2.00"), ("adjustment", "u", "3", "6.00")]
    assert october["lines"][1]["adjusts"] == september["lines"][0]["id"]
    assert (october["tax"], october["total"]) == ("0.80", "8.80")
    assert late(vendor) == [("adjusted", "3", "6.00")]
    # Found once, charged once; what comes still later is only the difference
    send("acme", "agent.turn", 1, name="later", day="2026-09-07T10:00:00Z")
    *_, november = close_months(vendor, "2026-11", "2026-11")
    assert roles(november) == [("charge", "u", "0", "0.00"), ("adjustment", "u", "1", "2.00")]
    *_, december = close_months(vendor, "2026-12", "2026-12")
    assert roles(december) == [("charge", "u", "0", "0.00")]


def test_usage_taken_back_is_given_back(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, usage("2"), fee("10"))
    subscribe("acme", "p", "2026-09-01T00:00:00Z")
    send("acme", "agent.turn", 3, day="2026-09-05T10:00:00Z")
    close_months(vendor, "2026-09", "2026-09")
    vendor.post("events/void", {"source": "test", "id": "acme-agent.turn-e-0", "reason": "a reversed outcome"})
    _, october = close_months(vendor, "2026-10", "2026-10")
    assert roles(october) == [
        ("charge", "u", "0", "0.00"),
        ("charge", "fee", "1", "10.00"),
        ("adjustment", "u", "-1", "-2.00"),
    ]


def test_late_usage_under_a_commitment_lowers_the_true_up_by_as_much(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, usage("10"), minimum_commitment="100")
    subscribe("acme", "p", "2026-09-01T00:00:00Z")
    send("acme", "agent.turn", 3, day="2026-09-05T10:00:00Z")
    [september] = close_months(vendor, "2026-09", "2026-09")
    assert roles(september) == [("charge", "u", "3", "30.00"), ("charge", "minimum_commitment", "1", "70.00")]
    send("acme", "agent.turn", 9, name="late", day="2026-09-05T10:00:00Z")
    _, october = close_months(vendor, "2026-10", "2026-10")
    # 12 turns are 120.00: 90.00 more, less the true-up of 70.00
    assert roles(october)[-2:] == [
        ("adjustment", "u", "9", "90.00"),
        ("adjustment", "minimum_commitment", "0", "-70.00"),
    ]


def test_late_usage_of_a_customer_who_left_is_invoiced_alone(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, usage("2"))
    subscription = subscribe("acme", "p", "2026-09-01T00:00:00Z", tax_rate="0.10")
    end(vendor, subscription, datetime(2026, 9, 20, tzinfo=UTC))
    close_months(vendor, "2026-09", "2026-10")
    send("acme", "agent.turn", 4, name="late", day="2026-09-06T10:00:00Z")
    organization_id, now = vendor.organization.pk, datetime(2026, 11, 3, tzinfo=UTC)
    assert find_late_usage(organization_id=organization_id, now=now) == 1
    [invoice] = invoice_left_late_usage(organization_id=organization_id, now=now)
    shown = vendor.get(f"invoices/{invoice.pk}").json()
    assert (shown["kind"], shown["total"], roles(shown)) == ("one_off", "8.80", [("adjustment", "u", "4", "8.00")])
    assert invoice_left_late_usage(organization_id=organization_id, now=now) == []


def test_late_usage_is_written_off_where_that_is_the_policy(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, usage("2"))
    assert vendor.patch("billing_policy", {"late_usage": "write_off"}).json()["late_usage"] == "write_off"
    subscribe("acme", "p", "2026-09-01T00:00:00Z")
    close_months(vendor, "2026-09", "2026-09")
    send("acme", "agent.turn", 4, name="late", day="2026-09-06T10:00:00Z")
    _, october = close_months(vendor, "2026-10", "2026-10")
    assert roles(october) == [("charge", "u", "0", "0.00")]
    assert late(vendor) == [("written_off", "4", "8.00")]
    assert find_late_usage(organization_id=vendor.organization.pk, now=datetime(2027, 1, 1, tzinfo=UTC)) == 0


def test_a_draft_counts_late_events_until_its_grace_period_is_over(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, usage("2"))
    vendor.patch("billing_policy", {"grace_hours": 48})
    subscribe("acme", "p", "2026-09-01T00:00:00Z")
    send("acme", "agent.turn", 3, day="2026-09-05T10:00:00Z")
    over = datetime(2026, 10, 1, tzinfo=UTC)
    [draft] = close_months(vendor, "2026-09", "2026-09", over + timedelta(hours=1))
    assert (draft["status"], draft["number"], draft["total"]) == ("draft", None, "6.00")
    assert draft["finalize_at"] == "2026-10-03T00:00:00Z"
    send("acme", "agent.turn", 1, name="late", day="2026-09-06T10:00:00Z")
    assert vendor.post(f"invoices/{draft['id']}/refresh", {}).json()["total"] == "8.00"
    send("acme", "agent.turn", 1, name="later", day="2026-09-06T10:00:00Z")
    organization_id = vendor.organization.pk
    assert finalize_due_drafts(organization_id=organization_id, now=over + timedelta(hours=47)) == 0
    assert finalize_due_drafts(organization_id=organization_id, now=over + timedelta(hours=48)) == 1
    final = vendor.get(f"invoices/{draft['id']}").json()
    assert (final["status"], final["number"], final["total"]) == ("finalized", "INV-000001", "10.00")
    refused = vendor.post(f"invoices/{draft['id']}/finalize", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "invoice_state")


def test_an_adjustment_on_a_draft_is_free_again_when_the_draft_is_priced_anew(
    vendor: Api, subscribe: Make, send: Make
) -> None:
    plan(vendor, usage("2"))
    subscribe("acme", "p", "2026-09-01T00:00:00Z")
    close_months(vendor, "2026-09", "2026-09")
    vendor.patch("billing_policy", {"grace_hours": 48})
    send("acme", "agent.turn", 4, name="late", day="2026-09-06T10:00:00Z")
    close(vendor, Month(2026, 10), datetime(2026, 11, 1, tzinfo=UTC))
    [draft] = vendor.get("invoices", status="draft").json()["data"]
    assert roles(draft)[-1] == ("adjustment", "u", "4", "8.00")
    final = vendor.post(f"invoices/{draft['id']}/finalize", {}).json()
    assert roles(final)[-1] == ("adjustment", "u", "4", "8.00")
    assert late(vendor) == [("adjusted", "4", "8.00")]


def test_open_usage_beyond_a_threshold_is_invoiced_before_its_period_ends(
    vendor: Api, subscribe: Make, send: Make
) -> None:
    plan(vendor, usage("1", included="5"), fee("10"), invoice_threshold="20")
    subscribe("acme", "p", "2026-10-01T00:00:00Z")

    def look(day: int) -> list[str]:
        now = datetime(2026, 10, day, 12, tzinfo=UTC)
        return [str(one.total) for one in invoice_thresholds(organization_id=vendor.organization.pk, now=now)]

    send("acme", "agent.turn", 24, name="a", day="2026-10-02T10:00:00Z")
    assert look(3) == []  # 19.00 beyond the 5 included
    send("acme", "agent.turn", 2, name="b", day="2026-10-04T10:00:00Z")
    assert look(5) == ["21.00"]
    assert look(5) == []
    send("acme", "agent.turn", 30, name="c", day="2026-10-06T10:00:00Z")
    assert look(7) == ["30.00"]
    send("acme", "agent.turn", 1, name="d", day="2026-10-30T10:00:00Z")
    *thresholds, october = close_months(vendor, "2026-10", "2026-10")
    assert [invoice["kind"] for invoice in thresholds] == ["threshold", "threshold"]
    # 57 turns less 5 included are 52.00, of which 51.00 were invoiced; and the fee
    assert roles(october) == [
        ("charge", "u", "57", "52.00"),
        ("charge", "fee", "1", "10.00"),
        ("billed_before", "u", "0", "-51.00"),
    ]
    assert [law for law, found in check_all(vendor.organization.pk) if found] == []


def test_an_invoice_over_nothing_is_paid_at_once_or_skipped(vendor: Api, subscribe: Make) -> None:
    plan(vendor, usage("2"))
    subscribe("acme", "p", "2026-09-01T00:00:00Z")
    [september] = close_months(vendor, "2026-09", "2026-09")
    assert (september["status"], september["number"]) == ("paid", "INV-000001")
    vendor.patch("billing_policy", {"zero_amount": "skip"})
    close(vendor, Month(2026, 10), datetime(2026, 11, 1, tzinfo=UTC))
    [skipped] = vendor.get("invoices", month="2026-10").json()["data"]
    assert (skipped["status"], skipped["number"]) == ("skipped", None)
    assert close(vendor, Month(2026, 10), datetime(2026, 11, 2, tzinfo=UTC)).invoices == 0
