"""Credit and coupons on drafts, threshold invoices and late usage: what was used once is not asked for again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.credits.charges import create_charge
from billing.credits.expiry import expire_credits
from billing.facade import customers_of
from billing.invariants import check_all
from billing.invoicing.drafts import finalize_due_drafts, refresh_draft
from billing.invoicing.late_usage import find_late_usage
from billing.invoicing.thresholds import invoice_thresholds
from billing.models import Invoice
from tests.api import Api
from tests.billing.clocked import fee, usage
from tests.billing.test_billing_periods import close_months, plan
from tests.billing.test_closing_a_month import close
from tests.billing.test_credits import available, grant, statement

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Any]
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def credits_of(api: Api) -> list[tuple[str, str, str, str, str]]:
    names = ("status", "total", "discount", "credits_applied", "amount_due")
    return [tuple(one[name] for name in names) for one in api.get("invoices").json()["data"]]


def assert_books_agree(api: Api) -> None:
    assert {law: found for law, found in check_all(api.organization.pk) if found} == {}


def test_a_draft_holds_what_it_draws_and_gives_it_back_when_it_is_priced_anew(
    vendor: Api, subscribe: Make, send: Make
) -> None:
    vendor.patch("billing_policy", {"grace_hours": 48})
    subscribe("acme", "activity", "2026-10-01T00:00:00Z")
    send("acme", "agent.turn", 100)  # $5.00
    grant(vendor, amount="4", effective_at="2026-09-01T00:00:00Z", expires_at="2026-11-02T00:00:00Z")
    close(vendor, now=datetime(2026, 11, 1, 1, tzinfo=UTC))
    assert credits_of(vendor) == [("draft", "5.00", "0.00", "4.00", "1.00")]
    assert available(vendor) == {}
    # the grant runs out while the draft waits: late events make it dearer, and the draw is the same
    send("acme", "agent.turn", 20, name="late")
    assert expire_credits(now=NOW) == 0
    refresh_draft(invoice=Invoice.objects.get(), now=NOW)
    assert credits_of(vendor) == [("draft", "6.00", "0.00", "4.00", "2.00")]
    finalize_due_drafts(organization_id=vendor.organization.pk, now=datetime(2026, 11, 3, 1, tzinfo=UTC))
    assert credits_of(vendor) == [("finalized", "6.00", "0.00", "4.00", "2.00")]
    assert statement(vendor)[-1][2] == "0.00"
    assert_books_agree(vendor)


def test_units_that_a_threshold_invoice_drew_are_not_charged_when_the_period_ends(
    vendor: Api, subscribe: Make, send: Make
) -> None:
    plan(vendor, usage("0.10"), invoice_threshold="5")
    vendor.post("coupons", {"key": "two", "amount": "2", "currency": "USD"})
    subscribe("acme", "p", "2026-10-01T00:00:00Z", coupon="two")
    grant(vendor, amount="40", currency=None, meter="turns", effective_at="2026-09-01T00:00:00Z")
    send("acme", "agent.turn", 100)
    invoice_thresholds(organization_id=vendor.organization.pk, now=datetime(2026, 10, 10, tzinfo=UTC))
    # 100 - 40 units of the grant = 60 x 0.10, less 2.00
    assert credits_of(vendor) == [("finalized", "4.00", "2.00", "0.00", "4.00")]
    send("acme", "agent.turn", 10, name="more")
    close(vendor)
    # 110 - 40 = 70 x 0.10 = 7.00 less 2.00, less the 6.00 - 2.00 that were invoiced before
    assert credits_of(vendor)[1] == ("finalized", "1.00", "0.00", "0.00", "1.00")
    assert available(vendor) == {}
    assert_books_agree(vendor)


def test_late_usage_is_charged_as_the_units_of_then_paid_it(vendor: Api, subscribe: Make, send: Make) -> None:
    plan(vendor, usage("0.10"))
    subscribe("acme", "p", "2026-10-01T00:00:00Z")
    grant(vendor, amount="250", currency=None, meter="turns", effective_at="2026-09-01T00:00:00Z")
    send("acme", "agent.turn", 100)
    close(vendor)
    # 100 of the 250 units pay the 100 turns
    assert [one[1] for one in credits_of(vendor)] == ["0.00"]
    assert available(vendor) == {"turns": "150"}
    send("acme", "agent.turn", 7, name="late")
    assert find_late_usage(organization_id=vendor.organization.pk, now=NOW) == 1
    found = vendor.get("late_usage").json()["data"]
    assert [(one["quantity"], one["amount"]) for one in found] == [("7", "0.70")]
    assert available(vendor) == {"turns": "150"}


@pytest.mark.parametrize(("turns", "october"), [(120, "6.00"), (100, "5.00")])
def test_late_usage_is_discounted_as_its_line_was(
    vendor: Api, subscribe: Make, send: Make, turns: int, october: str
) -> None:
    """Also where that line came to nothing."""
    plan(vendor, fee("10"), usage("0.10", included="100"))
    vendor.post("coupons", {"key": "half", "percent": "50"})
    subscribe("acme", "p", "2026-10-01T00:00:00Z", coupon="half")
    send("acme", "agent.turn", turns)
    close(vendor)
    assert credits_of(vendor) == [("finalized", october, october, "0.00", october)]
    send("acme", "agent.turn", 30, name="late")
    find_late_usage(organization_id=vendor.organization.pk, now=NOW)
    close_months(vendor, "2026-11", "2026-11")
    # the fee of 10.00 and 3.00 of late usage, each half off
    assert credits_of(vendor)[1] == ("finalized", "6.50", "6.50", "0.00", "6.50")
    assert_books_agree(vendor)


def test_a_waiting_charge_makes_no_threshold_invoice_and_is_not_on_one(
    vendor: Api, subscribe: Make, send: Make
) -> None:
    plan(vendor, usage("0.10"), invoice_threshold="5")
    subscribe("acme", "p", "2026-10-01T00:00:00Z")
    [acme] = customers_of(vendor.organization.pk)
    early = datetime(2026, 10, 2, tzinfo=UTC)
    create_charge(customer=acme, description="By hand", unit_amount=Decimal(100), now=early)
    send("acme", "agent.turn", 40)
    at = datetime(2026, 10, 10, tzinfo=UTC)
    assert invoice_thresholds(organization_id=vendor.organization.pk, now=at) == []
    send("acme", "agent.turn", 20, name="more")
    invoice_thresholds(organization_id=vendor.organization.pk, now=at)
    close(vendor)
    assert [one[1] for one in credits_of(vendor)] == ["6.00", "100.00"]
