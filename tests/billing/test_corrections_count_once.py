"""The same thing is given back once, whether a credit note, voided usage or fewer seats say so first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from billing.invariants import check_all
from billing.invoicing import pricing
from tests.api import Api
from tests.billing.test_billing_periods import close_months, plan, usage
from tests.billing.test_late_usage import roles

Make = Callable[..., Any]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def august(vendor: Api, subscribe: Make, send: Make) -> dict[str, Any]:
    """An invoice of ten turns at 1.00, paid."""
    plan(vendor, usage("1"))
    subscribe("acme", "p", "2026-08-01T00:00:00Z")
    send("acme", "agent.turn", 10, day="2026-08-05T10:00:00Z")
    [invoice] = close_months(vendor, "2026-08", "2026-08")
    assert vendor.post(f"invoices/{invoice['id']}/pay", {}).json()["status"] == "paid"
    return invoice


def void(vendor: Api, *numbers: int) -> None:
    for number in numbers:
        body = {"source": "test", "id": f"acme-agent.turn-e-{number}", "reason": "wrong"}
        assert vendor.post("events/void", body).status_code == 200


def credit(vendor: Api, invoice: dict[str, Any], amount: str, **fields: str) -> Any:
    lines = [{"line": invoice["lines"][0]["id"], "amount": amount}]
    return vendor.post("credit_notes", {"invoice": invoice["id"], "lines": lines, **fields})


def adjusted(vendor: Api, month: str) -> list[tuple[str, str]]:
    *_, invoice = close_months(vendor, month, month)
    assert [found for found in check_all(vendor.organization.pk) if found[1]] == []
    return [(quantity, amount) for role, _, quantity, amount in roles(invoice) if role == "adjustment"]


def test_voiding_what_a_note_corrected_gives_nothing_back(vendor: Api, august: dict[str, Any]) -> None:
    assert credit(vendor, august, "6.00").json()["kind"] == "correction"
    void(vendor, *range(6))
    assert adjusted(vendor, "2026-09") == [("-6", "0.00")]
    # Each dollar of the correction counts once: a seventh event is given back.
    void(vendor, 6)
    assert adjusted(vendor, "2026-10") == [("-1", "-1.00")]


def test_voiding_more_than_a_note_corrected_gives_the_rest_back(vendor: Api, august: dict[str, Any]) -> None:
    credit(vendor, august, "4.00")
    void(vendor, *range(6))
    assert adjusted(vendor, "2026-09") == [("-6", "-2.00")]


def test_a_correction_is_counted_over_several_months(vendor: Api, august: dict[str, Any]) -> None:
    credit(vendor, august, "6.00")
    void(vendor, 0, 1)
    assert adjusted(vendor, "2026-09") == [("-2", "0.00")]
    void(vendor, 2, 3, 4, 5, 6)
    # 4.00 of the correction is left for five events
    assert adjusted(vendor, "2026-10") == [("-5", "-1.00")]


def test_goodwill_is_given_besides_up_to_the_line(vendor: Api, august: dict[str, Any]) -> None:
    assert credit(vendor, august, "3.00", kind="goodwill").json()["kind"] == "goodwill"
    void(vendor, *range(6))
    assert adjusted(vendor, "2026-09") == [("-6", "-6.00")]


def test_correcting_what_voided_usage_gave_back_is_refused(vendor: Api, august: dict[str, Any]) -> None:
    void(vendor, *range(6))
    assert adjusted(vendor, "2026-09") == [("-6", "-6.00")]
    refused = credit(vendor, august, "6.00")
    assert (refused.status_code, refused.json()["code"]) == (422, "credit_exceeds_line")
    assert "4.00 is left to correct" in refused.json()["detail"]
    assert credit(vendor, august, "4.00").status_code == 201


def test_correcting_the_whole_invoice_leaves_out_what_was_given_back(vendor: Api, august: dict[str, Any]) -> None:
    void(vendor, *range(6))
    adjusted(vendor, "2026-09")
    assert vendor.post("credit_notes", {"invoice": august["id"]}).json()["total"] == "4.00"


def test_fewer_seats_give_back_nothing_that_a_note_corrected(vendor: Api, subscribe: Make) -> None:
    seat = {"key": "seats", "kind": "seat", "bill": "in_advance", "prorate": False}
    plan(vendor, seat | {"model": {"type": "per_unit", "unit_amount": "10.00"}})
    clock = vendor.post("test_clocks", {"now": "2026-08-01T00:00:00Z"}).json()["id"]
    vendor.customer("acme", test_clock=clock)
    subscription = subscribe("acme", "p", "2026-08-01T00:00:00Z", seats=10)
    vendor.post(f"test_clocks/{clock}/advance", {"to": "2026-08-02T00:00:00Z"})
    [opening] = vendor.get("invoices").json()["data"]
    assert opening["total"] == "100.00"
    assert credit(vendor, opening, "40.00").status_code == 201
    changed = vendor.post(f"subscriptions/{subscription}/change", {"seats": 6, "when": "now"})
    assert changed.status_code == 200, changed.content
    vendor.post(f"test_clocks/{clock}/advance", {"to": "2026-09-02T00:00:00Z"})
    later = vendor.get("invoices").json()["data"][-1]
    given_back = [line for line in later["lines"] if line["role"] == "settlement"]
    assert given_back == []
    assert later["total"] == "60.00"


def test_what_is_given_back_a_second_time_is_found_every_night(
    vendor: Api, august: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old fault, put back: what notes had corrected was not counted against late usage."""
    monkeypatch.setattr(pricing, "given_back", lambda line, credited: credited - credited)
    credit(vendor, august, "3.00")
    void(vendor, *range(6))
    *_, invoice = close_months(vendor, "2026-09", "2026-09")
    assert [amount for role, _, _, amount in roles(invoice) if role == "adjustment"] == ["-6.00"]
    [found] = dict(check_all(vendor.organization.pk))["corrections are counted once"]
    assert found.detail == "6.00 is given back of 'u', and 3.00 is left after a credit note"
