from __future__ import annotations

from typing import Any

import pytest

from tests.api import Api
from tests.billing.clocked import Clocked

#: All that an e-invoice asks of a seller. The IBAN is the example of the German Bundesbank.
SELLER = {
    "legal_name": "Nordlicht Agenten GmbH",
    "line1": "Torstraße 1",
    "postal_code": "10119",
    "city": "Berlin",
    "country": "DE",
    "vat_id": "DE123456789",
    "registration": "HRB 12345 B",
    "email": "rechnung@nordlicht.example",
    "phone": "+49 30 1234567",
    "bank_name": "Commerzbank",
    "iban": "DE89 3704 0044 0532 0130 00",
    "bic": "COBADEFFXXX",
    "payment_url": "https://pay.nordlicht.example/{number}",
}
ADDRESS = {"line1": "Hauptstraße 5", "postal_code": "80331", "city": "München", "country": "DE"}

LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 30"><rect width="30" height="30" rx="6" fill="#0b6e4f"/>'
    b'<path d="M7 22 15 7l8 15z" fill="#fff"/></svg>'
)


def fee(key: str, amount: str, **changes: Any) -> dict[str, Any]:
    return {"key": key, "kind": "fixed", "model": {"type": "flat", "amount": amount}} | changes


#: A fee, seats, and turns in tiers with included units: 12 turns are (12 - 2) = 5 x 0.10 + 5 x 0.05.
PRICES = [
    fee("base", "49", name="Platform fee"),
    {
        "key": "seats",
        "name": "Agents in service",
        "kind": "seat",
        "model": {"type": "per_unit", "unit_amount": "30"},
    },
    {
        "key": "turns",
        "name": "Turns",
        "kind": "usage",
        "meter": "turns",
        "included": "2",
        "model": {
            "type": "graduated",
            "tiers": [{"up_to": "5", "unit_amount": "0.10"}, {"up_to": None, "unit_amount": "0.05"}],
        },
    },
]


@pytest.fixture
def clocked(vendor: Api) -> Clocked:
    return Clocked.at(vendor, "2026-10-01T12:00:00Z")


@pytest.fixture
def seller(clocked: Clocked) -> Clocked:
    """A vendor that has said all there is to say of itself."""
    answer = clocked.api.patch("seller_profile", SELLER)
    assert answer.status_code == 200, answer.content
    return clocked


def october(clocked: Clocked, *, turns: int = 12, **customer: Any) -> dict[str, Any]:
    """The invoice of Acme for October 2026, in euros: 49 + 3 x 30 + 0.75 before tax."""
    defaults = {"name": "Acme AG", "currency": "EUR", "tax_rate": "0.19", "timezone": "Europe/Berlin"}
    clocked.customer("acme", **(defaults | {"address": ADDRESS, "tax_id": "DE987654321"} | customer))
    clocked.plan("growth", *PRICES, currency=customer.get("currency", "EUR"))
    clocked.subscribe("acme", "growth", "2026-09-30T22:00:00Z", seats=3)
    clocked.turns("acme", turns, "2026-10-05T10:00:00Z")
    clocked.advance("2026-11-02T12:00:00Z")
    [invoice] = clocked.invoices()
    return invoice
