"""How billing's things look in the API's answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.documents.e_invoice import missing_fields
from billing.documents.profile_fields import FIELDS
from billing.models import (
    BillingPolicy,
    BillingRun,
    Customer,
    Invoice,
    InvoiceLine,
    LateUsage,
    Plan,
    PlanVersion,
    Price,
    SellerProfile,
    Subscription,
    SubscriptionAddOn,
    TestClock,
)
from billing.models.catalogue import PriceKind
from billing.models.invoices import LineRole
from billing.queries.clocks import clock_of
from billing.queries.late_changes import Change
from billing.queries.moves import Move
from billing.queries.rating import PricedInvoice, PricedLine
from billing.queries.timeline import seats_at, status_at, version_at
from kernel.money import round_to_currency


def money(amount: Decimal, currency: str) -> str:
    """An amount with the digits of its currency, such as "12.30"."""
    return format(round_to_currency(amount, currency), "f")


def customer(one: Customer) -> dict[str, Any]:
    names = [
        "id",
        "key",
        "name",
        "email",
        "currency",
        "timezone",
        "address",
        "tax_rate",
        "tax_id",
        "tax_treatment",
        "locale",
        "metadata",
        "created_at",
    ]
    return {name: getattr(one, name) for name in names} | {"test_clock": one.test_clock_id}


def seller_profile(one: SellerProfile) -> dict[str, Any]:
    """`logo` is the SHA-256 of its content; the picture itself is at `seller_profile/logo`."""
    names = ("version", *FIELDS)
    return {name: getattr(one, name) for name in names} | {
        "logo": one.logo.digest if one.logo else None,
        "missing": missing_fields(one),
    }


def price(one: Price) -> dict[str, Any]:
    return {
        "id": one.id,
        "key": one.key,
        "name": one.name,
        "kind": one.kind,
        "meter": one.meter.key if one.meter else None,
        "filter": one.filter,
        "bill": one.bill,
        "prorate": one.prorate,
        "included": one.included,
        "minimum": one.minimum,
        "maximum": one.maximum,
        "pricing_unit": one.pricing_unit.key if one.pricing_unit else None,
        "unit_rate": one.unit_rate,
        "tax_rate": one.tax_rate,
        "model": one.model,
    }


def plan_version(one: PlanVersion) -> dict[str, Any]:
    return {
        "id": one.id,
        "version": one.number,
        "currency": one.currency,
        "interval": one.interval,
        "interval_count": one.interval_count,
        "trial_days": one.trial_days,
        "minimum_commitment": _commitment(one),
        "invoice_threshold": one.invoice_threshold,
        "settlement_hours": one.settlement_hours,
        "prices": [price(p) for p in one.prices.all() if p.kind != PriceKind.COMMITMENT],
        "created_at": one.created_at,
    }


def _commitment(one: PlanVersion) -> str:
    found = [p.model["amount"] for p in one.prices.all() if p.kind == PriceKind.COMMITMENT]
    return found[0] if found else "0"


def plan(one: Plan) -> dict[str, Any]:
    versions = sorted((v for v in one.versions.all() if v.customer_id is None), key=lambda version: version.number)
    named = {"id": one.id, "key": one.key, "name": one.name, "add_on": one.add_on, "created_at": one.created_at}
    return plan_version(versions[-1]) | named


def subscription(one: Subscription) -> dict[str, Any]:
    """With its plan and seats as they are now, by the customer's clock, or at its start where that is to come."""
    today = clock_of(one.customer)()
    now = max(today, one.starts_at)
    version = version_at(one, now)
    return {
        "id": one.id,
        "customer": one.customer.key,
        "status": status_at(one, today),
        "plan": version.plan.key,
        "plan_version": version.number,
        "overridden_prices": overridden(version),
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "anchor": one.anchor,
        "trial_days": one.trial_days,
        "seats": seats_at(one, now),
        "seat_changes": [{"seats": c.seats, "starts_at": c.starts_at} for c in one.seat_changes.all()],
        "plan_changes": [
            {"plan": c.plan_version.plan.key, "plan_version": c.plan_version.number, "starts_at": c.starts_at}
            for c in one.plan_changes.all()
        ],
        "pauses": [{"starts_at": pause.starts_at, "ends_at": pause.ends_at} for pause in one.pauses.all()],
        "add_ons": [_add_on(add_on) for add_on in one.add_ons.all()],
        "created_at": one.created_at,
    }


def overridden(version: PlanVersion) -> list[str]:
    """The keys of the prices that are the customer's own."""
    if version.based_on is None:
        return []
    terms = {price.key: _terms(price) for price in version.based_on.prices.all()}
    return [price.key for price in version.prices.all() if terms.get(price.key) != _terms(price)]


def _terms(one: Price) -> tuple[Any, ...]:
    return one.name, one.model, one.included, one.minimum, one.maximum


def _add_on(one: SubscriptionAddOn) -> dict[str, Any]:
    names = "id quantity starts_at ends_at"
    return {name: getattr(one, name) for name in names.split()} | {"plan": one.plan_version.plan.key}


def invoice(one: Invoice) -> dict[str, Any]:
    return invoice_head(one) | {"lines": [invoice_line(line, one.currency) for line in one.lines.all()]}


def invoice_head(one: Invoice) -> dict[str, Any]:
    """An invoice without its lines."""
    amounts = ["subtotal", "discount", "credits_applied", "tax", "total", "amount_due"]
    names = (
        "id kind number status currency month tax_treatment period_start period_end "
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


def upcoming(one: PricedInvoice) -> dict[str, Any]:
    return {
        "customer": one.customer.key,
        "subscription": one.subscription.pk if one.subscription else None,
        "status": "upcoming",
        "currency": one.currency,
        "period_start": one.period.start,
        "period_end": one.period.end,
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
        "amount": money(one.amount, currency),
    }


def late_usage(one: LateUsage) -> dict[str, Any]:
    names = "id resolution quantity found_at resolved_at"
    return {name: getattr(one, name) for name in names.split()} | {
        "customer": one.line.invoice.customer.key,
        "invoice": one.line.invoice_id,
        "line": one.line_id,
        "amount": money(one.amount, one.line.invoice.currency),
        "adjusted_on": one.adjustment.invoice_id if one.adjustment else None,
    }


def policy(one: BillingPolicy) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("grace_hours", "payment_days", "late_usage", "zero_amount", "issue")}


def move(one: Move) -> dict[str, Any]:
    """What a subscription's open period comes to on its version and on the other, before tax."""
    return {
        "subscription": one.subscription.pk,
        "customer": one.subscription.customer.key,
        "plan_version": one.version.number,
        "current": money(one.current, one.version.currency),
        "new": money(one.new, one.version.currency),
        "difference": money(one.new - one.current, one.version.currency),
        "currency": one.version.currency,
    }


def test_clock(one: TestClock) -> dict[str, Any]:
    return {"id": one.id, "now": one.now, "created_at": one.created_at}
