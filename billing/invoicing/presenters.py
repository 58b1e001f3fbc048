"""Filling the API answers of invoices, runs and late usage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.customers.presenters import money
from billing.documents.unprintable import unprintable_of_customer
from billing.invoicing.late_changes import Change
from billing.invoicing.models import LineRole
from billing.invoicing.priced import PricedInvoice, PricedLine
from billing.models import (
    BillingRun,
    Invoice,
    InvoiceLine,
    LateUsage,
)


def invoice(one: Invoice) -> dict[str, Any]:
    lines = one.lines.all()
    return invoice_head(one) | {
        "lines": [invoice_line(line, one.currency) for line in lines],
        "unprintable": unprintable_of_customer(one.customer, *(line.description for line in lines)),
    }


def invoice_head(one: Invoice) -> dict[str, Any]:
    """An invoice without its lines."""
    amounts = ["subtotal", "discount", "credits_applied", "tax", "total", "amount_due"]
    names = (
        "id kind number status currency month tax_treatment tax_rounding period_start period_end "
        "created_at finalize_at finalized_at due_at paid_at voided_at"
    )
    return (
        {name: getattr(one, name) for name in names.split()}
        | {"customer": one.customer.key, "subscription": one.subscription_id}
        | {name: money(getattr(one, name), one.currency) for name in amounts}
    )


def invoice_line(line: InvoiceLine, currency: str) -> dict[str, Any]:
    names = "id kind role description quantity unit_amount tax_rate period_start period_end breakdown steps events"
    return {name: getattr(line, name) for name in names.split()} | {
        "price": line.price.key if line.price else None,
        "units": line.units,
        "adjusts": line.adjusts_id,
        "amount": money(line.amount, currency),
        "discount": money(line.discount, currency),
        "tax": money(line.tax, currency),
    }


def upcoming(one: PricedInvoice, spend: Decimal) -> dict[str, Any]:
    """An invoice to be, and the spend of its period (`billing.invoicing.queries`)."""
    return {
        "customer": one.customer.key,
        "subscription": one.subscription.pk if one.subscription else None,
        "status": "upcoming",
        "currency": one.currency,
        "period_start": one.period.start,
        "period_end": one.period.end,
        "spend": money(spend, one.currency),
        "subtotal": money(one.subtotal, one.currency),
        "discount": money(one.discount, one.currency),
        "tax": money(one.tax, one.currency),
        "total": money(one.total, one.currency),
        "credits_applied": money(one.credits_applied, one.currency),
        "amount_due": money(one.amount_due, one.currency),
        "lines": [_upcoming_line(line, one) for line in one.lines],
    }


def _upcoming_line(line: PricedLine, one: PricedInvoice) -> dict[str, Any]:
    return {
        "price": line.price.key if line.price else None,
        "kind": line.price.kind if line.price else LineRole.ONE_OFF,
        "role": line.role,
        "description": line.description,
        "quantity": line.rated.quantity,
        "unit_amount": line.rated.unit_amount,
        "units": line.rated.units,
        "amount": money(line.rated.amount, one.currency),
        "discount": money(line.discount, one.currency),
        "tax": money(line.tax, one.currency),
        "period_start": line.period.start,
        "period_end": line.period.end,
        "breakdown": [row.to_json() for row in line.rated.breakdown],
        "steps": [step.to_json() for step in line.rated.steps],
        "events": line.events,
    }


def run(one: BillingRun) -> dict[str, Any]:
    names = "id month status total done invoices problems created_at finished_at"
    return {name: getattr(one, name) for name in names.split()}


def unbilled_change(one: Change, currency: str) -> dict[str, Any]:
    """`billed_quantity` is the line's own and `quantity` today's; `difference` and `amount` are not billed yet."""
    return {
        "line": one.line.id,
        "price": one.line.price.key if one.line.price else None,
        "billed_quantity": one.line.quantity,
        "quantity": one.line.quantity + one.quantity,
        "difference": one.quantity,
        "amount": None if one.problem else money(one.amount, currency),
        "problem": one.problem or None,
    }


def late_usage(one: LateUsage) -> dict[str, Any]:
    names = "id resolution quantity found_at resolved_at"
    return {name: getattr(one, name) for name in names.split()} | {
        "customer": one.line.invoice.customer.key,
        "invoice": one.line.invoice_id,
        "line": one.line_id,
        "amount": money(one.amount, one.line.invoice.currency),
        "problem": one.problem or None,
        "adjusted_on": one.adjustment.invoice_id if one.adjustment else None,
    }
