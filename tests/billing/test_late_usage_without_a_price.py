"""Late usage that the terms of its line do not price holds nothing else back, and is named until it is dealt with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from billing.invariants import check_all
from billing.invoicing.late_usage import find_late_usage
from tests.api import Api
from tests.billing.books import at
from tests.billing.test_billing_periods import close_months, plan, usage
from tests.billing.test_late_usage import late, roles

Make = Callable[..., Any]

pytestmark = pytest.mark.django_db(transaction=True)

MATRIX = {"type": "matrix", "dimensions": ["model"], "cells": [{"where": {"model": "a"}, "unit_amount": "1.00"}]}


@pytest.fixture
def sends(vendor: Api) -> Make:
    vendor.meter("calls", event_type="inference.call", aggregation="count", dimensions={"model": "data.model"})

    def send(model: str, count: int, name: str, day: str = "2026-08-05T10:00:00Z") -> None:
        event = {"specversion": "1.0", "source": "m", "type": "inference.call", "subject": "acme", "time": day}
        body = [event | {"id": f"{name}-{i}", "data": {"model": model}} for i in range(count)]
        assert vendor.post("events", body).json()["accepted"] == count

    return send


def matrix_and_turns(vendor: Api, **fields: Any) -> None:
    plan(vendor, {"key": "matrix", "kind": "usage", "meter": "calls", "model": MATRIX}, usage("1"), **fields)


def broken(vendor: Api) -> dict[str, list[Any]]:
    return {name: found for name, found in check_all(vendor.organization.pk) if found}


def test_one_unpriceable_event_holds_back_nothing_else(vendor: Api, subscribe: Make, send: Make, sends: Make) -> None:
    matrix_and_turns(vendor)
    subscribe("acme", "p", "2026-08-01T00:00:00Z")
    sends("a", 10, "first")
    [august] = close_months(vendor, "2026-08", "2026-08")
    assert august["total"] == "10.00"
    sends("a", 5, "late")
    sends("b", 1, "late-b")
    send("acme", "agent.turn", 7, name="late", day="2026-08-05T10:00:00Z")
    shown = vendor.get(f"invoices/{august['id']}/late_usage").json()["data"]
    assert [(one["price"], one["difference"], one["amount"], bool(one["problem"])) for one in shown] == [
        ("matrix", "1", None, True),
        ("matrix", "5", "5.00", False),
        ("u", "7", "7.00", False),
    ]
    _, september = close_months(vendor, "2026-09", "2026-09")
    assert [line for line in roles(september) if line[0] == "adjustment"] == [
        ("adjustment", "matrix", "5", "5.00"),
        ("adjustment", "u", "7", "7.00"),
    ]
    assert september["total"] == "12.00"
    run = vendor.get("billing_runs").json()["data"][-1]
    [problem] = run["problems"]
    assert (problem["customer"], problem["code"]) == ("acme", "late_usage_unpriceable")
    assert "model 'b'" in problem["detail"]
    [named] = vendor.get("late_usage", resolution="unpriceable").json()["data"]
    assert (named["quantity"], named["amount"], named["invoice"]) == ("1", "0.00", august["id"])
    assert "model 'b'" in named["problem"]
    assert list(broken(vendor)) == ["late usage has a price"]
    # Found once, however often it is looked for.
    assert find_late_usage(organization_id=vendor.organization.pk, now=at("2026-11-01")) == 0
    assert len(late(vendor)) == 3
    # It is named no longer once it is voided.
    vendor.post("events/void", {"source": "m", "id": "late-b-0", "reason": "a model we do not sell"})
    find_late_usage(organization_id=vendor.organization.pk, now=at("2026-11-01"))
    assert vendor.get("late_usage", resolution="unpriceable").json()["data"] == []
    assert broken(vendor) == {}


def test_what_is_missing_to_a_commitment_waits_for_no_unpriceable_group(
    vendor: Api, subscribe: Make, send: Make, sends: Make
) -> None:
    matrix_and_turns(vendor, minimum_commitment="100")
    subscribe("acme", "p", "2026-08-01T00:00:00Z")
    sends("a", 10, "first")
    [august] = close_months(vendor, "2026-08", "2026-08")
    assert august["total"] == "100.00"  # 10.00, and 90.00 missing
    sends("b", 1, "late-b")
    sends("a", 95, "late")
    _, september = close_months(vendor, "2026-09", "2026-09")
    # 105 are 105.00: 95.00 more, less the 90.00 that were missing
    assert [line for line in roles(september) if line[0] == "adjustment"] == [
        ("adjustment", "matrix", "95", "95.00"),
        ("adjustment", "minimum_commitment", "0", "-90.00"),
    ]


def test_a_clock_moves_on_without_what_has_no_price(api: Api) -> None:
    clock = api.post("test_clocks", {"now": "2026-08-01T00:00:00Z"}).json()["id"]
    api.meter("calls", event_type="inference.call", aggregation="count", dimensions={"model": "data.model"})
    plan(api, {"key": "matrix", "kind": "usage", "meter": "calls", "model": MATRIX})
    fee = {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": "20"}}
    assert api.post("plans", {"key": "fees", "currency": "USD", "prices": [fee]}).status_code == 201
    for customer, of_plan in (("acme", "p"), ("beta", "fees")):
        api.customer(customer, currency="USD", test_clock=clock)
        body = {"customer": customer, "plan": of_plan, "starts_at": "2026-08-01T00:00:00Z"}
        assert api.post("subscriptions", body).status_code == 201
    event = {"specversion": "1.0", "source": "m", "type": "inference.call", "subject": "acme"}
    event |= {"id": "b", "time": "2026-08-05T10:00:00Z", "data": {"model": "b"}}
    assert api.post("events", event).json()["accepted"] == 1
    moved = api.post(f"test_clocks/{clock}/advance", {"to": "2026-09-01T00:00:00Z"})
    assert moved.status_code == 200, moved.content
    assert [(one["customer"], one["code"]) for one in moved.json()["problems"]] == [("acme", "usage_not_priced")]
    assert [one["customer"] for one in api.get("invoices").json()["data"]] == ["beta"]
    assert api.get(f"test_clocks/{clock}").json()["problems"] == moved.json()["problems"]
    # Once the event is voided, the next advance bills the month that waited.
    api.post("events/void", {"source": "m", "id": "b", "reason": "a model we do not sell"})
    again = api.post(f"test_clocks/{clock}/advance", {"to": "2026-09-02T00:00:00Z"}).json()
    assert again["problems"] == []
    assert sorted(one["customer"] for one in api.get("invoices").json()["data"]) == ["acme", "beta"]
