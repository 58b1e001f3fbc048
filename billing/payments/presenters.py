"""Filling the API answers of payments and credit notes."""

from __future__ import annotations

from typing import Any

from billing.customers.presenters import money
from billing.models import CreditNote, Payment


def payment(one: Payment) -> dict[str, Any]:
    return {
        "id": one.id,
        "invoice": one.invoice_id,
        "customer": one.invoice.customer.key,
        "amount": money(one.amount, one.currency),
        "currency": one.currency,
        "method": one.method,
        "reference": one.reference,
        "refund_of": one.refund_of_id,
        "paid_at": one.paid_at,
    }


def credit_note(one: CreditNote) -> dict[str, Any]:
    amounts = ["subtotal", "tax", "total", "applied", "credited", "refunded"]
    return (
        {name: getattr(one, name) for name in ("id", "number", "kind", "reason", "currency", "issued_at")}
        | {"invoice": one.invoice_id, "customer": one.invoice.customer.key}
        | {name: money(getattr(one, name), one.currency) for name in amounts}
        | {
            "lines": [
                {
                    "line": line.line_id,
                    "amount": money(line.amount, one.currency),
                    "tax": money(line.tax, one.currency),
                }
                for line in one.lines.all()
            ]
        }
    )
