from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.facade import close_month
from billing.models import BillingRun, Invoice
from kernel.period import Month
from tests.api import Api

NOW = datetime(2026, 11, 2, tzinfo=UTC)
OCTOBER = Month(2026, 10)
Make = Callable[..., Any]


def close(vendor: Api, month: Month = OCTOBER, now: datetime = NOW) -> BillingRun:
    return close_month(organization=vendor.organization, month=month, now=now)


def invoices(vendor: Api, **filters: str) -> list[dict[str, Any]]:
    return vendor.get("invoices", **({"month": "2026-10"} | filters)).json()["data"]


def amounts(invoice: dict[str, Any]) -> dict[str, str]:
    return {line["price"]: line["amount"] for line in invoice["lines"]}


def test_the_four_plans_come_to_what_their_prices_say(vendor: Api, subscribe: Make, send: Make) -> None:
    subscribe("seats", "seat", seats=5)
    subscribe("compute", "compute")
    subscribe("activity", "activity")
    subscribe("hybrid", "hybrid")
    send("compute", "inference.call", 2, compute_seconds="75.5")
    for customer in ("activity", "hybrid"):
        send(customer, "agent.turn", 620)
        send(customer, "inference.call", 1, compute_seconds="1000.25")
    send("activity", "agent.decision", 33)
    send("activity", "agent.task", 2, outcome="succeeded")
    send("activity", "agent.task", 3, name="other", outcome="failed")
    close(vendor)
    assert {i["customer"]: (amounts(i), i["total"]) for i in invoices(vendor)} == {
        "seats": ({"seats": "150.00"}, "150.00"),  # 5 x 30
        "compute": ({"compute": "1.26"}, "1.26"),  # 151 s: 100 x 0.01 + 51 x 0.005 = 1.255
        "activity": ({"turns": "31.00", "decisions": "0.33", "tasks": "1.98"}, "33.31"),
        # (620 - 500) x 0.04 = 4.80; 1000.25 x 0.002 = 2.0005
        "hybrid": ({"base": "49.00", "turns": "4.80", "compute": "2.00"}, "55.80"),
    }


def test_closing_again_changes_nothing(vendor: Api, subscribe: Make, send: Make) -> None:
    subscribe("acme", "activity")
    send("acme", "agent.turn", 3)
    close(vendor)
    before = invoices(vendor)
    send("acme", "agent.turn", 5, name="late")
    again = close(vendor)
    assert (again.status, again.total, again.invoices) == ("succeeded", 0, 0)
    assert invoices(vendor) == before


def test_numbers_have_no_gaps_over_runs_and_belong_to_each_organization(
    vendor: Api, another_api: Api, subscribe: Make
) -> None:
    for name in ("a", "b", "c"):
        subscribe(name, "seat", seats=1)
    close(vendor, Month(2026, 9))
    subscribe("d", "seat", seats=1)
    close(vendor)
    numbers = list(Invoice.objects.order_by("number").values_list("number", flat=True))
    assert numbers == [f"INV-{n:06d}" for n in range(1, 8)]
    another_api.post("plans", {"key": "p", "currency": "USD", "prices": [_fixed("49")]})
    another_api.customer("x")
    another_api.post("subscriptions", {"customer": "x", "plan": "p", "starts_at": "2026-10-01T00:00:00Z"})
    close(another_api)
    assert [i["number"] for i in invoices(another_api)] == ["INV-000001"]


def _fixed(amount: str) -> dict[str, Any]:
    return {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": amount}}


@pytest.mark.parametrize(
    ("starts_at", "base", "turns"),
    [
        # 15 of 31 days: 49 x 15/31 = 23.709...; included 500 x 15/31 = 241.935..., so 358.0645... x 0.04 = 14.3225...
        ("2026-10-17T15:00:00Z", "23.71", "14.32"),
        ("2026-10-31T23:59:59Z", "1.58", "23.35"),  # 49/31 = 1.580...; (600 - 16.129...) x 0.04 = 23.3548...
        ("2026-10-01T00:00:00Z", "49.00", "4.00"),
    ],
)
def test_a_month_begun_late_is_charged_by_its_days(
    vendor: Api, subscribe: Make, send: Make, starts_at: str, base: str, turns: str
) -> None:
    subscribe("acme", "hybrid", starts_at)
    send("acme", "agent.turn", 600, day="2026-10-31T23:59:59Z")
    close(vendor)
    [invoice] = invoices(vendor)
    assert amounts(invoice) | {"compute": "0.00"} == {"base": base, "turns": turns, "compute": "0.00"}


def test_a_month_is_that_of_the_customers_zone(vendor: Api, subscribe: Make, send: Make) -> None:
    subscribe("auckland", "activity", timezone="Pacific/Auckland")
    subscribe("honolulu", "activity", timezone="Pacific/Honolulu")
    # 1 October in Auckland begins on 30 September at 11:00 UTC; in Honolulu on 1 October at 10:00 UTC.
    for day in ("2026-09-30T10:59:59Z", "2026-09-30T11:00:00Z", "2026-10-01T09:59:59Z", "2026-10-01T10:00:00Z"):
        send("auckland", "agent.turn", 1, name=day, day=day)
        send("honolulu", "agent.turn", 1, name=day, day=day)
    run = close(vendor, now=datetime(2026, 10, 31, 12, tzinfo=UTC))
    assert [problem["code"] for problem in run.problems] == ["period_not_over"]
    assert [i["customer"] for i in invoices(vendor)] == ["auckland"]
    close(vendor)
    assert {i["customer"]: i["lines"][0]["quantity"] for i in invoices(vendor)} == {"auckland": "3", "honolulu": "1"}


def test_a_month_that_is_not_over_cannot_be_closed(vendor: Api) -> None:
    answer = vendor.post("billing_runs", {"month": "2099-01"})
    assert (answer.status_code, answer.json()["code"]) == (422, "month_not_over")
    answer = vendor.post("billing_runs", {"month": "october"})
    assert answer.status_code == 422


def test_a_subscription_that_cannot_be_priced_stops_no_other(vendor: Api, subscribe: Make, send: Make) -> None:
    matrix = {
        "type": "matrix",
        "dimensions": ["agent"],
        "cells": [{"where": {"agent": "support"}, "unit_amount": "0.10"}],
    }
    price = {"key": "turns", "kind": "usage", "meter": "turns", "model": matrix}
    vendor.post("plans", {"key": "matrix", "currency": "USD", "prices": [price]})
    subscribe("good", "matrix")
    subscribe("bad", "matrix")
    send("good", "agent.turn", 4, agent="support")
    send("bad", "agent.turn", 1, agent="unheard-of")
    run = close(vendor)
    assert (run.status, run.invoices) == ("failed", 1)
    assert [(problem["customer"], problem["code"]) for problem in run.problems] == [("bad", "usage_not_priced")]
    assert [(i["customer"], i["total"]) for i in invoices(vendor)] == [("good", "0.40")]


def test_a_subscription_that_ended_is_billed_for_its_last_days_only(vendor: Api, subscribe: Make) -> None:
    vendor.post("plans", {"key": "flat", "currency": "USD", "prices": [_fixed("31")]})
    from billing.facade import cancel_subscription, get_subscription

    subscription = get_subscription(organization_id=vendor.organization.pk, subscription=subscribe("acme", "flat"))
    at = datetime(2026, 10, 10, 8, tzinfo=UTC)
    cancel_subscription(subscription=subscription, ends_at=at, now=at)
    close(vendor)
    assert [i["total"] for i in invoices(vendor)] == ["10.00"]
    close(vendor, Month(2026, 11), datetime(2026, 12, 2, tzinfo=UTC))
    assert invoices(vendor, month="2026-11") == []


def test_tax_is_added_line_by_line(vendor: Api, subscribe: Make, send: Make) -> None:
    subscribe("acme", "hybrid", tax_rate="0.19")
    send("acme", "agent.turn", 510)
    close(vendor)
    [invoice] = invoices(vendor)
    # 49.00 x 0.19 = 9.31 and 10 x 0.04 = 0.40 x 0.19 = 0.076, rounded to 0.08
    assert [line["tax"] for line in invoice["lines"]] == ["9.31", "0.08", "0.00"]
    assert (invoice["subtotal"], invoice["tax"], invoice["total"]) == ("49.40", "9.39", "58.79")


def test_the_number_of_queries_does_not_grow_with_the_subscriptions(
    vendor: Api, subscribe: Make, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for month, more in ((8, 1), (9, 2), (10, 20)):
        for i in range(more):
            subscribe(f"c{month}-{i}", "hybrid", f"2026-{month:02}-01T00:00:00Z")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            close(vendor, Month(2026, month))
        counts.append(len(captured))
    assert counts[1] == counts[2]


def test_the_preview_equals_the_invoice(vendor: Api, subscribe: Make, send: Make) -> None:
    from billing.facade import PricedInvoice, get_customer, upcoming_invoices
    from billing.invoicing import presenters as invoicing_presenters

    subscribe("acme", "hybrid", "2026-10-09T00:00:00Z", tax_rate="0.07", timezone="America/New_York")
    send("acme", "agent.turn", 501, day="2026-10-12T10:00:00Z")
    send("acme", "inference.call", 7, compute_seconds="12.3456789", day="2026-10-12T10:00:00Z")
    customer = get_customer(organization_id=vendor.organization.pk, customer="acme")
    [preview] = upcoming_invoices(customer=customer, now=datetime(2026, 10, 31, tzinfo=UTC))
    assert isinstance(preview, PricedInvoice)
    shown = invoicing_presenters.upcoming(preview, preview.subtotal)
    close(vendor)
    [invoice] = invoices(vendor)
    same = ["currency", "subtotal", "tax", "total", "amount_due"]
    assert {name: shown[name] for name in same} == {name: invoice[name] for name in same}
    assert [line["amount"] for line in shown["lines"]] == [line["amount"] for line in invoice["lines"]]


def test_a_price_that_its_meter_no_longer_serves_stops_no_other(vendor: Api, subscribe: Make, send: Make) -> None:
    price = {"key": "t", "kind": "usage", "meter": "turns", "filter": {"agent": "x"}}
    model = {"type": "per_unit", "unit_amount": "1"}
    vendor.post("plans", {"key": "by-agent", "currency": "USD", "prices": [price | {"model": model}]})
    subscribe("bad", "by-agent")
    subscribe("good", "seat", seats=1)
    vendor.post("meters/turns/versions", {"event_type": "agent.turn", "aggregation": "count"})
    run = close(vendor)
    assert [(problem["customer"], problem["code"]) for problem in run.problems] == [("bad", "dimension_unknown")]
    assert [(i["customer"], i["total"]) for i in invoices(vendor)] == [("good", "30.00")]
