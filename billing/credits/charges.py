"""Charges made by hand: for what no plan says, or as a goodwill."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NoReturn
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.facade import record_audit
from billing.credits.queries import HandBill, charge_line
from billing.credits.wallets import Wallets
from billing.customers.queries import policy_of
from billing.customers.services import require_open
from billing.invoicing.issuing import issue_invoices
from billing.invoicing.reductions import with_tax_and_credit
from billing.models import Customer, Invoice, OneOffCharge
from billing.rating.pricing.exact import bounded, multiply
from kernel.errors import ConflictError, FieldError, InvalidError
from kernel.money import excess_digits, round_to_currency
from kernel.period import Period, midnight


class ChargeInvalid(InvalidError):
    """The charge makes no sense; `errors` point into it."""

    code = "charge_invalid"


class ChargeBilled(ConflictError):
    """The charge stands on an invoice."""

    code = "charge_billed"


def create_charge(
    *,
    customer: Customer,
    description: str,
    unit_amount: Decimal,
    now: datetime,
    quantity: Decimal = Decimal(1),
    tax_rate: Decimal | None = None,
    period_start: datetime | None = None,
    period_end: datetime | None = None,
) -> OneOffCharge:
    """A charge that waits for the first invoice of the customer that falls due from `now` on. A negative one gives
    money back. It is for the present day, unless a period is given. Raises `ChargeInvalid`."""
    require_open(customer)
    if (period_start is None) != (period_end is None):
        _refuse("/period_end", "required", "A period has a start and an end")
    if period_start is None or period_end is None:
        zone = ZoneInfo(customer.timezone)
        today = now.astimezone(zone).date()
        period_start, period_end = midnight(today, zone), midnight(today + timedelta(days=1), zone)
    if period_end <= period_start:
        _refuse("/period_end", "ends_before_start", "A period ends after it starts")
    if quantity <= 0:
        _refuse("/quantity", "not_positive", "A quantity is more than nothing")
    total = bounded(multiply(quantity, unit_amount))
    if quantity == 1 and (excess := excess_digits(unit_amount, customer.currency)):
        _refuse("/amount", "too_many_decimals", excess)
    if total and not round_to_currency(total, customer.currency):
        _refuse(
            "/unit_amount", "rounds_to_zero", f"{total:f} {customer.currency} rounds to nothing. Enter a larger amount"
        )
    with transaction.atomic():
        charge = OneOffCharge.objects.create(
            organization_id=customer.organization_id,
            customer=customer,
            description=description,
            currency=customer.currency,
            quantity=quantity,
            unit_amount=unit_amount,
            tax_rate=tax_rate,
            period_start=period_start,
            period_end=period_end,
            created_at=now,
        )
        _note(charge, "create")
    return charge


def invoice_charge(*, charge: OneOffCharge, now: datetime) -> Invoice:
    """Finalize an invoice for a waiting charge alone, at once. Raises `ChargeBilled`, and `ChargeInvalid` for one of
    less than nothing: that waits for an invoice that it can lower."""
    with transaction.atomic():
        locked = OneOffCharge.objects.select_for_update(of=("self",)).select_related("customer").get(pk=charge.pk)
        if locked.line_id is not None:
            raise ChargeBilled("This charge is invoiced already")
        if locked.unit_amount < 0:
            _refuse("/when", "nothing_to_charge", "Money is given back with the next invoice")
        bill = HandBill(locked.customer, Period(locked.period_start, locked.period_end), locked.created_at)
        wallets = Wallets.load(customers=[locked.customer_id], at=bill.due_at, lock=True)
        rounding = policy_of(locked.organization_id).tax_rounding
        priced = with_tax_and_credit(bill, [charge_line(locked)], (), wallets, rounding)
        [invoice] = issue_invoices(organization_id=locked.organization_id, priced=[priced], run=None, now=now)
    return invoice


def delete_charge(*, charge: OneOffCharge) -> None:
    """Take back a charge that still waits; `ChargeBilled` for one that does not."""
    with transaction.atomic():
        rows = OneOffCharge.objects.select_for_update(of=("self",)).select_related("customer")
        locked = rows.filter(pk=charge.pk).first()
        if locked is None:
            return
        if locked.line_id is not None:
            raise ChargeBilled("This charge stands on an invoice: correct it with a credit note")
        _note(locked, "delete")
        locked.delete()


def _note(charge: OneOffCharge, done: str) -> None:
    record_audit(
        organization_id=charge.organization_id,
        action=f"charge.{done}",
        target=charge.pk,
        about=charge.customer_id,
        customer=charge.customer.key,
        description=charge.description,
        quantity=charge.quantity,
        unit_amount=charge.unit_amount,
        currency=charge.currency,
    )


def _refuse(pointer: str, code: str, detail: str) -> NoReturn:
    raise ChargeInvalid(detail, errors=[FieldError(pointer, code, detail)])
