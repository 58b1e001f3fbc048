"""Charges made by hand: on an invoice of their own, on the next one, or given back."""

from __future__ import annotations

from typing import Any

import pytest

from billing.invariants import check_all
from billing.models import CreditGrant, OneOffCharge
from tests.api import Api
from tests.billing.clocked import Clocked, fee
from tests.billing.test_credits import available, grant, statement

Row = dict[str, Any]


@pytest.fixture
def clocked(vendor: Api) -> Clocked:
    found = Clocked.at(vendor, "2026-10-10T12:00:00Z")
    found.customer("acme", tax_rate="0.19", timezone="Europe/Berlin")
    return found


def charge(clocked: Clocked, **fields: Any) -> Row:
    answer = clocked.api.post("charges", {"customer": "acme", "description": "Onboarding"} | fields)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def totals(invoice: Row) -> tuple[str, ...]:
    return tuple(invoice[name] for name in ("subtotal", "tax", "total", "credits_applied", "amount_due"))


def test_a_charge_now_is_an_invoice_of_its_own(clocked: Clocked) -> None:
    made = charge(clocked, quantity="2.5", unit_amount="99.99", when="now")
    [invoice] = clocked.invoices()
    # 2.5 x 99.99 = 249.975; 19 % of 249.98 is 47.4962
    assert (invoice["kind"], invoice["subscription"], invoice["number"]) == ("one_off", None, "INV-000001")
    assert totals(invoice) == ("249.98", "47.50", "297.48", "0.00", "297.48")
    [line] = invoice["lines"]
    assert (line["price"], line["kind"], line["role"], line["description"]) == (
        None,
        "one_off",
        "one_off",
        "Onboarding",
    )
    assert (line["period_start"], line["period_end"]) == ("2026-10-09T22:00:00Z", "2026-10-10T22:00:00Z")
    assert (made["status"], made["invoice"], made["line"], made["amount"]) == (
        "billed",
        invoice["id"],
        line["id"],
        "249.98",
    )
    assert clocked.api.get(f"invoices/{invoice['id']}/lines/{line['id']}/events").json()["data"] == []


def test_a_charge_now_is_paid_by_credit_too(clocked: Clocked) -> None:
    grant(clocked.api, amount="100", effective_at="2026-10-01T00:00:00Z")
    charge(clocked, amount="200", tax_rate="0", when="now")
    assert totals(clocked.invoices()[0]) == ("200.00", "0.00", "200.00", "100.00", "100.00")
    assert statement(clocked.api)[-1] == ("drawn", "-100.00", "0.00")


def test_a_charge_waits_for_the_first_invoice_that_falls_due_after_it(clocked: Clocked) -> None:
    clocked.plan("p", fee("31"))
    clocked.subscribe("acme", "p", "2026-10-01T00:00:00+02:00")
    waiting = charge(clocked, amount="10", tax_rate="0.07")
    assert (waiting["status"], waiting["invoice"]) == ("waiting", None)
    preview = clocked.upcoming("acme")
    assert OneOffCharge.objects.get().line_id is None
    clocked.advance("2026-11-10T00:00:00Z")
    later = charge(clocked, amount="20")
    clocked.advance("2026-12-10T00:00:00Z")
    october, november = clocked.invoices()
    # 31 x 0.19 = 5.89 and 10 x 0.07
    assert totals(october) == totals(preview) == ("41.00", "6.59", "47.59", "0.00", "47.59")
    assert [row["amount"] for row in november["lines"]] == ["31.00", "20.00"]
    shown = clocked.api.get("charges", customer="acme", status="billed").json()["data"]
    assert [one["invoice"] for one in shown] == [october["id"], november["id"]]
    assert clocked.api.get("charges", status="waiting").json()["data"] == []
    assert clocked.api.get(f"charges/{later['id']}").json() == shown[1]


def test_a_charge_lands_on_one_of_a_customers_bills(clocked: Clocked) -> None:
    for key in ("p", "q"):
        clocked.plan(key, fee("31"))
        clocked.subscribe("acme", key, "2026-10-01T00:00:00+02:00")
    charge(clocked, amount="10")
    preview = clocked.upcoming("acme")
    clocked.advance("2026-11-10T00:00:00Z")
    assert [one["subtotal"] for one in clocked.invoices()] == ["41.00", "31.00"]
    assert [one["subtotal"] for one in (preview, *preview["others"])] == ["41.00", "31.00"]


def test_a_goodwill_lowers_the_next_invoice_and_its_tax(clocked: Clocked) -> None:
    clocked.plan("p", fee("31"))
    clocked.subscribe("acme", "p", "2026-10-01T00:00:00+02:00")
    charge(clocked, amount="-11", description="Sorry for the outage")
    clocked.advance("2026-11-01T00:00:00Z")
    # 31 x 0.19 - 11 x 0.19 = 5.89 - 2.09
    assert totals(clocked.invoices()[0]) == ("20.00", "3.80", "23.80", "0.00", "23.80")


def test_an_invoice_of_less_than_nothing_leaves_the_rest_as_credit(clocked: Clocked) -> None:
    clocked.plan("p", fee("31"))
    clocked.subscribe("acme", "p", "2026-10-01T00:00:00+02:00")
    charge(clocked, amount="-51")
    preview = clocked.upcoming("acme")
    clocked.advance("2026-11-01T00:00:00Z")
    [october] = clocked.invoices()
    # (31 - 51) x 1.19 = -23.80: nothing is due, and the customer has as much in credit
    assert totals(october) == totals(preview) == ("-20.00", "-3.80", "-23.80", "-23.80", "0.00")
    assert available(clocked.api) == {"USD": "23.80"}
    left = CreditGrant.objects.get()
    assert (left.source, left.name) == ("balance", f"Balance of {october['number']}")
    clocked.advance("2026-12-01T00:00:00Z")
    assert totals(clocked.invoices()[1]) == ("31.00", "5.89", "36.89", "23.80", "13.09")
    laws = dict(check_all(clocked.api.organization.pk))
    assert not laws["receivable is what is due"]
    assert not laws["invoices used the credit they say"]
    assert not laws["grants are the sum of their movements"]


def test_a_waiting_charge_can_be_deleted_and_a_billed_one_cannot(clocked: Clocked) -> None:
    waiting, billed = charge(clocked, amount="10"), charge(clocked, amount="10", when="now")
    assert clocked.api.client.delete(f"/api/v1/charges/{waiting['id']}").status_code == 204
    assert clocked.api.get(f"charges/{waiting['id']}").status_code == 404
    refused = clocked.api.client.delete(f"/api/v1/charges/{billed['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "charge_billed")


def test_an_exempt_customer_is_charged_without_tax(clocked: Clocked) -> None:
    changed = clocked.api.client.patch(
        "/api/v1/customers/acme", {"tax_treatment": "exempt"}, content_type="application/json"
    )
    assert changed.status_code == 200
    charge(clocked, amount="10", tax_rate="0.19", when="now")
    assert clocked.invoices()[0]["tax"] == "0.00"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/amount"),
        ({"amount": "1", "unit_amount": "1"}, "/amount"),
        ({"amount": "1", "quantity": "2"}, "/quantity"),
        ({"unit_amount": "1", "quantity": "0"}, "/quantity"),
        ({"unit_amount": "1", "quantity": "-2"}, "/quantity"),
        ({"amount": "-1", "when": "now"}, "/when"),
        ({"amount": "1", "tax_rate": "2"}, "/tax_rate"),
        ({"amount": "1", "period_start": "2026-10-01T00:00:00Z"}, "/period_end"),
        (
            {"amount": "1", "period_start": "2026-10-02T00:00:00Z", "period_end": "2026-10-01T00:00:00Z"},
            "/period_end",
        ),
        ({"amount": "1", "when": "later"}, "/when"),
    ],
)
def test_a_charge_that_makes_no_sense_is_refused_and_nothing_is_kept(
    clocked: Clocked, fields: Row, pointer: str
) -> None:
    answer = clocked.api.post("charges", {"customer": "acme", "description": "x"} | fields)
    assert answer.status_code == 422, answer.content
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert OneOffCharge.objects.count() == 0
