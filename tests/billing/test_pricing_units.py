"""Plans priced in named credits: catalogue, calculator, lines and grants of credits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api import Api
from tests.billing.clocked import Clocked, fee, usage
from tests.billing.test_credits import grant, statement

Row = dict[str, Any]


@pytest.fixture
def clocked(vendor: Api) -> Clocked:
    """A vendor with Copilot credits, a cent each, as Copilot Studio has them."""
    made = vendor.post("pricing_units", {"key": "credits", "name": "Credits", "currency": "USD", "rate": "0.01"})
    assert made.status_code == 201
    return Clocked.at(vendor, "2026-10-01T00:00:00Z")


def in_credits(units: str, **changes: Any) -> Row:
    return usage(units, pricing_unit="credits", **changes)


def line(invoice: Row) -> tuple[str, str | None, str]:
    [found] = invoice["lines"]
    return found["quantity"], found["units"], found["amount"]


def test_a_line_shows_credits_beside_money(clocked: Clocked) -> None:
    clocked.customer("acme", tax_rate="0.10")
    clocked.plan("p", in_credits("2.5", included="10"))
    clocked.subscribe("acme", "p")
    clocked.turns("acme", 43, "2026-10-05T00:00:00Z")
    preview = clocked.upcoming("acme")
    clocked.advance("2026-11-01T00:00:00Z")
    [october] = clocked.invoices()
    # (43 - 10) x 2.5 = 82.5 credits, $0.825
    assert line(october) == line(preview) == ("43", "82.5", "0.83")
    assert (october["tax"], october["total"]) == ("0.08", "0.91")
    [shown] = october["lines"]
    assert (shown["unit_amount"], [row["amount"] for row in shown["breakdown"]]) == ("2.5", ["82.5"])
    assert [(step["kind"], step["before"], step["after"]) for step in shown["steps"]] == [
        ("included", "43", "33"),
        ("pricing", "33", "82.5"),
        ("conversion", "82.5", "0.825"),
        ("rounding", "0.825", "0.83"),
    ]


def test_grants_of_credits_pay_before_anything_is_money(clocked: Clocked) -> None:
    clocked.customer("acme", tax_rate="0.10")
    clocked.plan("p", in_credits("2", minimum="100"))
    clocked.subscribe("acme", "p")
    grant(clocked.api, amount="90", currency=None, pricing_unit="credits")
    clocked.turns("acme", 60, "2026-10-05T00:00:00Z")
    preview = clocked.upcoming("acme")
    clocked.advance("2026-12-01T00:00:00Z")
    october, november = clocked.invoices()
    # October: 120 credits less 90; November: the minimum of 100
    assert line(october) == line(preview) == ("60", "30", "0.30")
    assert line(november) == ("0", "100", "1.00")
    assert (october["total"], november["total"]) == ("0.33", "1.10")
    assert statement(clocked.api) == [("granted", "90", "90"), ("drawn", "-90", "0")]
    [drawn] = [r for r in clocked.api.get("customers/acme/credit_movements").json()["data"] if r["kind"] == "drawn"]
    assert (drawn["pricing_unit"], drawn["invoice_number"], drawn["line"]) == (
        "credits",
        october["number"],
        october["lines"][0]["id"],
    )


def test_a_fee_in_credits_paid_in_advance_is_settled_in_money(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", fee("2500", bill="in_advance", pricing_unit="credits"))
    clocked.subscribe("acme", "p", "2026-11-01T00:00:00Z")
    grant(clocked.api, amount="5000", currency=None, pricing_unit="credits")
    clocked.advance("2026-12-01T00:00:00Z")
    assert [(line(invoice), invoice["total"]) for invoice in clocked.invoices()] == [
        (("1", "2500", "25.00"), "25.00"),
        (("1", "2500", "25.00"), "25.00"),
    ]


def test_a_price_keeps_the_rate_of_when_its_version_was_made(clocked: Clocked) -> None:
    clocked.plan("p", in_credits("2"))
    patch = clocked.api.client.patch("/api/v1/pricing_units/credits", {"rate": "0.02"}, content_type="application/json")
    assert patch.json()["rate"] == "0.02"
    clocked.api.post("plans/p/versions", {"prices": [in_credits("2")]})
    versions = clocked.api.get("plans/p").json()["versions"]
    assert [(v["prices"][0]["pricing_unit"], v["prices"][0]["unit_rate"]) for v in versions] == [
        ("credits", "0.01"),
        ("credits", "0.02"),
    ]


def test_a_true_up_counts_what_credits_are_worth(clocked: Clocked) -> None:
    clocked.customer("acme")
    clocked.plan("p", in_credits("2"), minimum_commitment="5")
    clocked.subscribe("acme", "p")
    clocked.turns("acme", 100, "2026-10-05T00:00:00Z")
    clocked.advance("2026-11-01T00:00:00Z")
    [october] = clocked.invoices()
    assert [(row["price"], row["amount"]) for row in october["lines"]] == [
        ("turns", "2.00"),
        ("minimum_commitment", "3.00"),
    ]


def test_a_unit_that_does_not_fit_is_refused(clocked: Clocked, another_api: Api) -> None:
    for unit, currency, code in (("none", "USD", "pricing_unit_not_found"), ("credits", "EUR", "currency_mismatch")):
        price = usage("1", pricing_unit=unit)
        answer = clocked.api.post("plans", {"key": "x", "currency": currency, "prices": [price]})
        assert (answer.status_code, answer.json()["code"]) == (422, "plan_invalid")
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [("/prices/0/pricing_unit", code)]
    assert another_api.get("pricing_units/credits").status_code == 404
    assert another_api.get("pricing_units").json()["data"] == []
    wrong = clocked.api.post("pricing_units", {"key": "x", "currency": "USD", "rate": "0"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/rate")
    again = clocked.api.post("pricing_units", {"key": "credits", "currency": "USD", "rate": "1"})
    assert (again.status_code, again.json()["code"]) == (409, "key_taken")


def test_the_calculator_takes_a_pricing_unit(clocked: Clocked) -> None:
    body = {"currency": "USD", "quantity": "33", "model": {"type": "per_unit", "unit_amount": "2"}}
    answer = clocked.api.post("pricing/calculate", body | {"pricing_unit": {"rate": "0.01"}}).json()
    assert (answer["units"], answer["amount"], answer["rounded"]) == ("66", "0.66", "0.66")
