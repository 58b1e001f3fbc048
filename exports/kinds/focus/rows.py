"""The rows of the three FOCUS files. Sums of Cost and Usage and of Invoice Detail are the same, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing.facade import CreditNote, CreditNoteLine, Invoice, InvoiceLine, InvoiceStatus
from exports.columns import Row
from exports.kinds.focus.charges import ADJUSTMENT, CREDIT, TAX, USAGE, Charge, Share, category_of, charges_of_line
from exports.kinds.focus.units import SERVICE_CATEGORY, SERVICE_SUBCATEGORY, sku_of, token_direction, unit_name
from exports.tables import Selection
from kernel.money import EXACT
from kernel.period import Period

_ZERO = Decimal(0)
_CORRECTION = "Correction"
_FREQUENCY = {"usage": "Usage-Based", "fixed": "Recurring", "seat": "Recurring", "commitment": "Recurring"}


@dataclass(frozen=True, slots=True)
class Common:
    """What every row of an export has in common."""

    issuer: str
    period: Period

    @classmethod
    def of(cls, selection: Selection) -> Common:
        return cls(selection.organization.name, selection.month.period(ZoneInfo("UTC")))


@dataclass(frozen=True, slots=True)
class _Head:
    """The document that a row stands on."""

    customer: Any
    currency: str
    invoice: str
    status: str
    charge_class: str | None = None
    plan: Any = None
    subscription: str | None = None


def issue_status(invoice: Invoice) -> str:
    names: dict[str, str] = {InvoiceStatus.DRAFT: "Open", InvoiceStatus.VOID: "Voided"}
    return names.get(invoice.status, "Issued")


def invoice_name(invoice: Invoice) -> str:
    """Its number; of a draft, which has none yet, its id."""
    return invoice.number or invoice.pk


def usage_of_invoice(common: Common, invoice: Invoice, shares: dict[str, list[Share]]) -> Iterator[Row]:
    """Cost and Usage of an invoice; a void one has none, so that no sum counts it."""
    if invoice.status == InvoiceStatus.VOID:
        return
    plan = invoice.subscription.plan_version.plan if invoice.subscription else None
    head = _Head(
        invoice.customer, invoice.currency, invoice_name(invoice), issue_status(invoice), None, plan,
        invoice.subscription_id,
    )  # fmt: skip
    for line in invoice.lines.all():
        for charge in _charges(line, invoice.currency, shares.get(line.pk, ())):
            yield _cost_row(common, head, line, charge, line.pk, _class_of(line))
        if line.tax:
            yield _cost_row(common, head, line, _plain(TAX, line.tax), f"{line.pk}-tax", _class_of(line))
    if invoice.credits_applied:
        yield _credit_row(common, head, invoice)


def usage_of_note(common: Common, note: CreditNote, lines: list[CreditNoteLine]) -> Iterator[Row]:
    """A credit note takes back, line by line, what an invoice charged."""
    for one in lines:
        head = _note_head(common, note, one)
        category = category_of(one.line.kind, one.line.role)
        yield _cost_row(common, head, one.line, _plain(category, -one.amount), f"{note.pk}-{one.pk}", head.charge_class)
        if one.tax:
            yield _cost_row(common, head, one.line, _plain(TAX, -one.tax), f"{note.pk}-{one.pk}-tax", head.charge_class)


def _note_head(common: Common, note: CreditNote, one: CreditNoteLine) -> _Head:
    invoice = one.line.invoice
    plan = invoice.subscription.plan_version.plan if invoice.subscription else None
    return _Head(
        note.invoice.customer, note.currency, note.number, "Issued", _CORRECTION, plan, invoice.subscription_id
    )


def _class_of(line: InvoiceLine) -> str | None:
    """A line that adjusts one of an earlier invoice corrects a closed billing period."""
    return _CORRECTION if line.role == "adjustment" else None


def _charges(line: InvoiceLine, currency: str, shares: Any) -> list[Charge]:
    return charges_of_line(
        kind=line.kind,
        role=line.role,
        quantity=line.quantity,
        unit_amount=line.unit_amount,
        unit_rate=line.price.unit_rate if line.price else None,
        amount=line.amount,
        discount=line.discount,
        currency=currency,
        breakdown=line.breakdown,
        shares=shares,
    )


def _plain(category: str, amount: Decimal) -> Charge:
    return Charge(category, amount, billed=amount)


def _cost_row(
    common: Common, head: _Head, line: InvoiceLine, charge: Charge, detail: str, charge_class: str | None
) -> Row:
    sku = sku_of(line, charge) if charge.tier is not None else None
    meter = line.price.meter if line.price and line.price.meter_id else None
    unit = unit_name(line.kind, meter) if charge.priced is not None else None
    cost = charge.list_cost if charge.category == USAGE or charge.priced is not None else charge.billed
    return (
        charge.billed, head.customer.key, head.customer.name, head.currency, common.period.end, common.period.start,
        charge.category, charge_class, line.description or None, _FREQUENCY.get(line.kind, "One-Time"),
        whole_seconds(line.period_end), whole_seconds(line.period_start), charge.consumed,
        unit if charge.consumed is not None else None, cost, charge.unit_price, charge.billed, common.issuer, detail,
        head.invoice, common.issuer, cost, charge.unit_price, "Standard" if sku else None, charge.priced, unit,
        SERVICE_CATEGORY, head.plan.name if head.plan else common.issuer, common.issuer,
        SERVICE_SUBCATEGORY, sku.sku if sku else None, sku.meter if sku else None, sku.details if sku else None,
        sku.price if sku else None, head.subscription, head.plan.name if head.plan else None,
        charge.agent, head.status, line.role, meter.key if meter else None, charge.model, token_direction(line),
    )  # fmt: skip


def _credit_row(common: Common, head: _Head, invoice: Invoice) -> Row:
    amount = -invoice.credits_applied
    return (
        amount, head.customer.key, head.customer.name, head.currency, common.period.end, common.period.start,
        CREDIT, None, "Credits applied", "One-Time", whole_seconds(invoice.period_end),
        whole_seconds(invoice.period_start), None, None, amount, None, amount, common.issuer, f"{invoice.pk}-credits",
        head.invoice, common.issuer, amount, None, None, None, None, SERVICE_CATEGORY,
        head.plan.name if head.plan else common.issuer, common.issuer, SERVICE_SUBCATEGORY, None, None, None, None,
        head.subscription, head.plan.name if head.plan else None, None, head.status, "credit", None, None, None,
    )  # fmt: skip


def detail_of_invoice(common: Common, invoice: Invoice) -> Iterator[Row]:
    """Invoice Detail: a row for each line, its tax and what credits paid. A void invoice's rows bill nothing and say
    what they billed in `x_VoidedCost`."""
    for line in invoice.lines.all():
        net = EXACT.subtract(line.amount, line.discount)
        category = category_of(line.kind, line.role)
        yield _detail_row(common, invoice, line, category, net, line.pk, line.description)
        if line.tax:
            yield _detail_row(common, invoice, line, TAX, line.tax, f"{line.pk}-tax", f"Tax: {line.description}")
    if invoice.credits_applied:
        yield _detail_row(
            common, invoice, None, CREDIT, -invoice.credits_applied, f"{invoice.pk}-credits", "Credits applied"
        )


def _detail_row(
    common: Common, invoice: Invoice, line: InvoiceLine | None, category: str, cost: Decimal, detail: str, text: str
) -> Row:
    status, name = issue_status(invoice), invoice_name(invoice)
    is_void = status == "Voided"
    updated = max(at for at in (invoice.created_at, invoice.finalized_at, invoice.voided_at) if at)
    is_sold = line is not None and category not in {TAX, ADJUSTMENT}
    reference = line.adjusts.invoice.number if line is not None and line.adjusts and _adjusts(line) else name
    return (
        _ZERO if is_void else cost, invoice.customer.key, invoice.currency, common.period.end, common.period.start,
        category, whole_seconds(invoice.created_at), text or None, _grain(invoice, line), detail,
        whole_seconds(updated), name, _seconds(invoice.finalized_at), status, common.issuer,
        _seconds(invoice.due_at), payment_terms(invoice), reference,
        line.quantity if line is not None and is_sold else None, line.tax_rate if line is not None else None,
        line.unit_amount if line is not None and is_sold else None, cost if is_void else None,
    )  # fmt: skip


def _adjusts(line: InvoiceLine) -> bool:
    return line.role == "adjustment" and line.adjusts_id is not None


def detail_of_note(common: Common, note: CreditNote, lines: list[CreditNoteLine]) -> Iterator[Row]:
    for one in lines:
        parts = [(category_of(one.line.kind, one.line.role), -one.amount, "")]
        if one.tax:
            parts.append((TAX, -one.tax, "-tax"))
        for category, cost, suffix in parts:
            yield (
                cost, note.invoice.customer.key, note.currency, common.period.end, common.period.start, category,
                whole_seconds(note.issued_at), one.line.description or None,
                _json({"x_CreditNote": note.number, "x_LineId": one.line_id}), f"{note.pk}-{one.pk}{suffix}",
                whole_seconds(note.issued_at), note.number, whole_seconds(note.issued_at), "Issued", common.issuer,
                None, payment_terms(note.invoice), invoice_name(note.invoice), None, one.line.tax_rate, None, None,
            )  # fmt: skip


def _grain(invoice: Invoice, line: InvoiceLine | None) -> str:
    found: dict[str, Any] = {"SubAccountId": invoice.subscription_id} if invoice.subscription_id else {}
    if line is not None:
        found |= {"SkuId": sku_of(line, None).sku, "x_LineId": line.pk}
    return _json(found)


def payment_terms(invoice: Invoice) -> str:
    """How many days there are to pay, such as "Net 14"."""
    if invoice.due_at is None or invoice.finalized_at is None:
        return "Due on issue"
    days = (invoice.due_at - invoice.finalized_at).days
    return f"Net {days}" if days else "Due on issue"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def whole_seconds(at: datetime) -> datetime:
    """FOCUS writes times to the second."""
    return at.replace(microsecond=0)


def _seconds(at: datetime | None) -> datetime | None:
    return whole_seconds(at) if at else None
