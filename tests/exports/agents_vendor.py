"""A vendor of agents, whose October has one of everything that can stand on an invoice."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.credits.grants import grant_credit
from billing.facade import (
    Customer,
    close_month,
    create_customer,
    create_plan,
    invoices_of,
    issue_credit_note,
    subscribe,
    void_invoice,
)
from tests.api import Api
from tests.exports.vendor import NOW, OCTOBER, START

TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens")


def token_price(key: str, model: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "kind": "usage", "meter": key, "model": model}


def per_unit(amount: str) -> dict[str, Any]:
    return {"type": "per_unit", "unit_amount": amount}


def busy_october(api: Api) -> None:
    """acme: fee, seats, tokens of two agents, 19 % tax, 5.00 of credit. lab: tiers, a minimum and included units, in
    yen. gone: its invoice is void. back: 10.00 of its fee was credited."""
    for key in TOKENS:
        api.meter(
            key, name=key.replace("_", " ").capitalize(), unit="token", event_type="inference.call",
            aggregation="sum", value=f"data.{key}", dimensions={"agent": "data.agent", "model": "data.model"},
        )  # fmt: skip
    _customers(api)
    _events(api)
    close_month(organization=api.organization, month=OCTOBER, now=NOW)
    void_invoice(invoice=invoices_of(api.organization.pk).get(customer__key="gone"), now=NOW)
    noted = invoices_of(api.organization.pk).get(customer__key="back")
    issue_credit_note(invoice=noted, lines={noted.lines.get().pk: Decimal(10)}, now=NOW)


def _customer(api: Api, key: str, prices: list[dict[str, Any]], seats: int = 0, **fields: Any) -> Customer:
    customer = create_customer(organization=api.organization, key=key, name=f"{key} GmbH", **fields)
    plan = create_plan(
        organization=api.organization, key=f"plan-{key}", name=f"Plan of {key}", currency=customer.currency,
        prices=prices,
    )  # fmt: skip
    subscribe(customer=customer, plan=plan, starts_at=START, seats=seats)
    return customer


def _customers(api: Api) -> None:
    fee = {"key": "base", "name": "Base fee", "kind": "fixed", "model": {"type": "flat", "amount": "49"}}
    seat = {"key": "seats", "name": "Seats", "kind": "seat", "model": per_unit("12.50")}
    tokens = [
        token_price("input_tokens", per_unit("0.0000025")),
        token_price("cached_input_tokens", per_unit("0.00000125")),
        token_price("output_tokens", per_unit("0.00001")),
    ]
    acme = _customer(api, "acme", [fee, seat, *tokens], seats=3, currency="USD", tax_rate=Decimal("0.19"))
    grant_credit(customer=acme, name="Welcome", amount=Decimal(5), currency="USD", now=datetime(2026, 9, 1, tzinfo=UTC))
    tiers = [{"up_to": "1000", "unit_amount": "0.5"}, {"up_to": None, "unit_amount": "0.25"}]
    _customer(
        api, "lab",
        [
            {**token_price("input_tokens", {"type": "graduated", "tiers": tiers}), "included": "100"},
            {**token_price("output_tokens", per_unit("1")), "minimum": "7000"},
        ],
        currency="JPY",
    )  # fmt: skip
    _customer(api, "gone", [fee], currency="USD")
    _customer(api, "back", [fee], currency="USD")


def _events(api: Api) -> None:
    used = [
        ("acme", "support", "large", "1200001", "400000", "90001"),
        ("acme", "support", "small", "333333", "0", "1000"),
        ("acme", "sales", "large", "2000000", "1", "500000"),
        ("lab", "reader", "large", "4100", "0", "5000"),
    ]
    events = [
        {
            "specversion": "1.0", "id": f"call-{place}", "source": "test", "type": "inference.call",
            "subject": customer, "time": f"2026-10-{place + 2:02d}T10:00:00Z",
            "data": {"agent": agent, "model": model, **dict(zip(TOKENS, counts, strict=True))},
        }
        for place, (customer, agent, model, *counts) in enumerate(used)
    ]  # fmt: skip
    answer = api.post("events", events)
    assert answer.json()["accepted"] == len(used), answer.content
