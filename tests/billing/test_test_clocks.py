"""A year of billing driven by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api import Api
from tests.billing.test_billing_periods import fee, plan, usage
from tests.billing.test_closing_a_month import close


@pytest.fixture
def clock(vendor: Api) -> str:
    answer = vendor.post("test_clocks", {"now": "2026-01-31T09:00:00Z"})
    assert answer.status_code == 201
    return str(answer.json()["id"])


def advance(vendor: Api, clock: str, to: str) -> Any:
    return vendor.post(f"test_clocks/{clock}/advance", {"to": to})


def all_invoices(vendor: Api) -> list[dict[str, Any]]:
    return sorted(vendor.get("invoices").json()["data"], key=lambda invoice: invoice["number"])


def test_a_year_passes_and_every_invoice_is_issued_at_its_time(vendor: Api, clock: str) -> None:
    plan(vendor, fee("30.00", bill="in_advance"), usage("2"))
    vendor.customer("acme", test_clock=clock, timezone="America/New_York")
    body = {"customer": "acme", "plan": "p", "anchor": "anniversary"}
    subscription = vendor.post("subscriptions", body).json()
    assert subscription["starts_at"] == "2026-01-31T09:00:00Z"
    event = {"specversion": "1.0", "id": "e", "source": "s", "type": "agent.turn", "subject": "acme"}
    vendor.post("events", event | {"time": "2026-03-30T12:00:00Z"})
    # 31 January to 30 December, and the opening: the 13th bill falls due on 31 January 2027.
    assert advance(vendor, clock, "2026-04-30T03:59:59Z").json()["invoices"] == 3
    assert advance(vendor, clock, "2026-04-30T04:00:00Z").json()["invoices"] == 1
    assert advance(vendor, clock, "2027-01-31T04:59:59Z").json()["invoices"] == 8
    found = [(i["kind"], i["period_start"], i["finalized_at"], i["total"]) for i in all_invoices(vendor)]
    assert found[:4] == [
        ("opening", "2026-01-31T05:00:00Z", "2026-01-31T05:00:00Z", "30.00"),
        ("cycle", "2026-01-31T05:00:00Z", "2026-02-28T05:00:00Z", "30.00"),
        ("cycle", "2026-02-28T05:00:00Z", "2026-03-31T04:00:00Z", "32.00"),
        ("cycle", "2026-03-31T04:00:00Z", "2026-04-30T04:00:00Z", "30.00"),
    ]
    assert len(found) == 12
    assert advance(vendor, clock, "2027-01-31T04:59:59Z").json()["invoices"] == 0


def test_a_customer_on_a_test_clock_is_left_alone_by_the_real_months(vendor: Api, clock: str) -> None:
    plan(vendor, fee("30.00"))
    vendor.customer("acme", test_clock=clock)
    vendor.post("subscriptions", {"customer": "acme", "plan": "p"})
    from kernel.period import Month

    assert close(vendor, Month(2026, 2)).total == 0
    upcoming = vendor.get("customers/acme/upcoming_invoice").json()
    assert (upcoming["period_start"], upcoming["total"]) == ("2026-01-31T00:00:00Z", "0.97")  # 1 of 31 days


@pytest.mark.parametrize("to", ["2026-01-31T08:59:59Z", "2031-03-01T00:00:00Z", "yesterday"])
def test_a_clock_moves_forward_within_reason(vendor: Api, clock: str, to: str) -> None:
    assert advance(vendor, clock, to).status_code == 422
    assert vendor.get(f"test_clocks/{clock}").json()["now"] == "2026-01-31T09:00:00Z"


def test_clocks_belong_to_their_organization(vendor: Api, another_api: Api, clock: str) -> None:
    assert another_api.get(f"test_clocks/{clock}").status_code == 404
    assert another_api.post("customers", {"key": "x", "test_clock": clock}).status_code == 404
    assert advance(another_api, clock, "2026-05-01T00:00:00Z").status_code == 404


def test_a_month_that_cannot_be_priced_is_named_and_holds_back_no_other_month(vendor: Api, clock: str) -> None:
    matrix = {"type": "matrix", "dimensions": ["agent"], "cells": [{"where": {"agent": "a"}, "unit_amount": "1"}]}
    plan(vendor, {"key": "t", "kind": "usage", "meter": "turns", "model": matrix})
    vendor.customer("acme", test_clock=clock)
    vendor.post("subscriptions", {"customer": "acme", "plan": "p"})
    event = {"specversion": "1.0", "id": "e", "source": "s", "type": "agent.turn", "subject": "acme"}
    vendor.post("events", event | {"time": "2026-02-10T00:00:00Z", "data": {"agent": "b"}})
    moved = advance(vendor, clock, "2026-06-01T00:00:00Z").json()
    assert [(one["customer"], one["code"]) for one in moved["problems"]] == [("acme", "usage_not_priced")]
    assert moved["now"] == "2026-06-01T00:00:00Z"
    months = [one["period_start"][:7] for one in all_invoices(vendor)]
    assert months[-3:] == ["2026-03", "2026-04", "2026-05"]
    assert "2026-02" not in months
