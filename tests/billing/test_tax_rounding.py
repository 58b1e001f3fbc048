"""Tax per document and rate for new organizations, per line for those from before."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.documents.making import e_invoice_problem
from billing.models import Invoice
from tests.api import Api
from tests.billing.clocked import Clocked, fee
from tests.billing.documents.conftest import ADDRESS, SELLER

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clocked(vendor: Api) -> Clocked:
    clocked = Clocked.at(vendor, "2026-10-01T12:00:00Z")
    assert vendor.patch("seller_profile", SELLER).status_code == 200
    return clocked


def subscribed(clocked: Clocked, key: str, currency: str, amounts: list[str], tax_rate: str) -> None:
    """A customer of a plan of fees."""
    clocked.plan(key, *(fee(one, key=f"fee{place}") for place, one in enumerate(amounts)), currency=currency)
    clocked.customer(key, currency=currency, tax_rate=tax_rate, address=ADDRESS)
    clocked.subscribe(key, key)


def taxes(invoice: dict[str, Any]) -> tuple[str, str, list[str]]:
    return invoice["tax_rounding"], invoice["tax"], [line["tax"] for line in invoice["lines"]]


def test_new_organizations_round_tax_per_document_and_issued_invoices_keep_their_way(clocked: Clocked) -> None:
    api = clocked.api
    assert api.get("billing_policy").json()["tax_rounding"] == "document"
    subscribed(clocked, "cents", "EUR", ["0.50", "0.50"], "0.19")
    subscribed(clocked, "yen", "JPY", ["14"] * 10, "0.1")
    clocked.advance("2026-11-02T12:00:00Z")
    [october], [yen] = clocked.invoices(customer="cents"), clocked.invoices(customer="yen")
    assert taxes(october) == ("document", "0.19", ["0.10", "0.09"])
    assert taxes(yen) == ("document", "14", ["2"] * 4 + ["1"] * 6)
    assert api.get(f"invoices/{yen['id']}/xml").status_code == 200

    assert api.patch("billing_policy", {"tax_rounding": "line"}).json()["tax_rounding"] == "line"
    assert api.patch("billing_policy", {"tax_rounding": "page"}).status_code == 422
    clocked.advance("2026-12-02T12:00:00Z")
    [november] = [one for one in clocked.invoices(customer="cents") if one["id"] != october["id"]]
    [late] = [one for one in clocked.invoices(customer="yen") if one["id"] != yen["id"]]
    assert taxes(november) == ("line", "0.20", ["0.10", "0.10"])
    assert taxes(api.get(f"invoices/{october['id']}").json()) == taxes(october)
    # Ten lines' tax of 1 yen is 10, and 10 % of 140 yen 14: further off than EN 16931 allows.
    assert taxes(late) == ("line", "10", ["1"] * 10)
    refused = api.get(f"invoices/{late['id']}/xml")
    assert (refused.status_code, refused.json()["code"]) == (422, "e_invoice_impossible")
    assert "The tax of lines at 10% sums to 10 JPY, and 10% of 140 JPY is 14" in refused.json()["detail"]
    assert api.get(f"invoices/{late['id']}/pdf").content.startswith(b"%PDF")
    assert e_invoice_problem(Invoice.objects.get(pk=late["id"])) == refused.json()["detail"]
    assert e_invoice_problem(Invoice.objects.get(pk=yen["id"])) is None

    for invoice, parts in ((october, ["0.10", "0.19"]), (november, ["0.10", "0.20"])):
        first = {"lines": [{"line": invoice["lines"][0]["id"], "amount": "0.50"}]}
        notes = [api.post("credit_notes", {"invoice": invoice["id"]} | body).json() for body in (first, {})]
        assert [notes[0]["tax"], sum_of(notes)] == parts


def sum_of(notes: list[dict[str, Any]]) -> str:
    return str(sum(Decimal(one["tax"]) for one in notes))


def test_seats_that_are_not_prorated_are_whole_and_shared_by_days_where_they_change(clocked: Clocked) -> None:
    model = {"type": "per_unit", "unit_amount": "10.00"}
    clocked.plan("seats", {"key": "seats", "kind": "seat", "prorate": False, "model": model})
    for key in ("late", "grows"):
        clocked.customer(key)
    clocked.advance("2026-11-01T00:00:00Z")
    clocked.subscribe("late", "seats", "2026-11-16T00:00:00Z", seats=3)
    growing = clocked.subscribe("grows", "seats", "2026-11-01T00:00:00Z", seats=10)
    clocked.advance("2026-11-16T00:00:00Z")
    body = {"seats": 20, "when": "now"}
    assert clocked.api.post(f"subscriptions/{growing}/change", body).status_code == 200
    clocked.advance("2026-12-02T00:00:00Z")
    amounts = {
        key: [line["amount"] for line in clocked.invoices(customer=key)[0]["lines"]] for key in ("late", "grows")
    }
    assert amounts == {"late": ["30.00"], "grows": ["50.00", "100.00"]}
