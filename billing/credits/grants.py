"""Prepaid money and units: granted, drawn, given back, voided.

A movement and the balance it changes are written together. Billing runs in REPEATABLE READ, so of two transactions
that draw on one grant at once the later fails with a serialization failure and is tried again on what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from accounts.facade import record_audit
from billing.credits.models import GrantSource, MovementKind
from billing.customers.services import require_open
from billing.ledger.posting import post_credit_movements
from billing.models import CreditGrant, CreditMovement, Customer, Invoice, PricingUnit
from kernel.errors import ConflictError, FieldError, InvalidError
from kernel.money import excess_digits
from metering.facade import Meter

_MOVE = """
UPDATE billing_creditgrant AS credit SET balance = credit.balance + moved.amount
FROM (SELECT grant_id, sum(amount) AS amount FROM unnest(%s::text[], %s::numeric[]) AS m (grant_id, amount)
      GROUP BY grant_id) AS moved
WHERE credit.id = moved.grant_id
"""


class GrantInvalid(InvalidError):
    """The grant makes no sense; `errors` point into it."""

    code = "credit_grant_invalid"


class GrantVoided(ConflictError):
    code = "credit_grant_voided"


@dataclass(frozen=True, slots=True)
class InvoiceDraw:
    """So much of a grant that pays an invoice, or a line of it before it is money."""

    grant_id: str
    amount: Decimal
    invoice_id: str
    line_id: str | None = None


def grant_credit(
    *,
    customer: Customer,
    name: str,
    amount: Decimal,
    now: datetime,
    currency: str = "",
    pricing_unit: PricingUnit | None = None,
    meter: Meter | None = None,
    source: str = GrantSource.PROMOTION,
    priority: int = 100,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
    rollover_limit: Decimal | None = None,
    rollover_days: int | None = None,
    invoice: Invoice | None = None,
) -> CreditGrant:
    """Give a customer `amount` in advance: of money in `currency`, of a pricing unit, or of what a meter counts.

    It pays for what falls due after `effective_at` (`now` unless said otherwise), up to and at `expires_at`.
    `invoice` is the one that left it in the customer's favour. Raises `GrantInvalid`.
    """
    require_open(customer)
    grant = new_grant(
        customer=customer,
        name=name,
        source=source,
        currency=currency,
        pricing_unit=pricing_unit,
        meter=meter,
        amount=amount,
        priority=priority,
        effective_at=effective_at,
        expires_at=expires_at,
        rollover_limit=rollover_limit,
        rollover_days=rollover_days,
        now=now,
    )
    _check(grant)
    with transaction.atomic():
        store_grants([grant], [granted(grant, now, invoice)])
        record_audit(
            organization_id=grant.organization_id,
            action="credit_grant.create",
            target=grant.pk,
            about=grant.customer_id,
            customer=customer.key,
            amount=amount,
            source=source,
        )
    return grant


def new_grant(*, customer: Customer, amount: Decimal, now: datetime, **fields: Any) -> CreditGrant:
    """A full grant that is not stored yet."""
    effective_at = fields.pop("effective_at", None) or now
    return CreditGrant(
        organization_id=customer.organization_id,
        customer=customer,
        amount=amount,
        balance=amount,
        effective_at=effective_at,
        created_at=now,
        **fields,
    )


def granted(grant: CreditGrant, now: datetime, invoice: Invoice | None = None) -> CreditMovement:
    """The movement that fills a grant; `invoice` is the one that left it in the customer's favour."""
    return CreditMovement(grant=grant, kind=MovementKind.GRANTED, amount=grant.amount, invoice=invoice, occurred_at=now)


def _check(grant: CreditGrant) -> None:
    errors: list[FieldError] = []
    of = [bool(grant.currency), grant.pricing_unit_id is not None, grant.meter_id is not None]
    if sum(of) != 1:
        errors.append(FieldError("/currency", "ambiguous", "Say one of currency, pricing_unit and meter"))
    elif grant.currency and grant.currency != grant.customer.currency:
        errors.append(FieldError("/currency", "currency_mismatch", f"The customer pays in {grant.customer.currency}"))
    elif grant.currency and (excess := excess_digits(grant.amount, grant.currency)):
        errors.append(FieldError("/amount", "too_many_decimals", excess))
    if grant.amount <= 0:
        errors.append(FieldError("/amount", "not_positive", "A grant is of more than nothing"))
    if grant.expires_at is not None and grant.expires_at <= grant.effective_at:
        errors.append(FieldError("/expires_at", "expires_before_effective", "It expires before it is effective"))
    if (grant.rollover_limit is None) != (grant.rollover_days is None):
        errors.append(FieldError("/rollover_days", "required", "rollover_limit and rollover_days go together"))
    elif grant.rollover_limit is not None and grant.expires_at is None:
        errors.append(FieldError("/rollover_limit", "not_applicable", "What never expires is never rolled over"))
    if errors:
        raise GrantInvalid(errors[0].detail, errors=errors)


def void_grant(*, grant: CreditGrant, now: datetime) -> CreditGrant:
    """Take back what is left of a grant. Voiding a voided one takes back what came back to it since, if anything."""
    with transaction.atomic():
        locked = CreditGrant.objects.select_for_update().get(pk=grant.pk)
        left = locked.balance
        locked.voided_at = locked.voided_at or now
        locked.save(update_fields=["voided_at"])
        record_audit(
            organization_id=locked.organization_id, action="credit_grant.void", target=locked.pk, taken_back=left
        )
        if left:
            record_movements([CreditMovement(grant=locked, kind=MovementKind.VOIDED, amount=-left, occurred_at=now)])
    return locked


def record_draws(draws: Iterable[InvoiceDraw], now: datetime) -> None:
    """Take from the grants what pays stored invoices; part of the caller's transaction."""
    record_movements(
        [
            CreditMovement(
                grant_id=draw.grant_id,
                kind=MovementKind.DRAWN,
                amount=-draw.amount,
                invoice_id=draw.invoice_id,
                line_id=draw.line_id,
                occurred_at=now,
            )
            for draw in draws
        ]
    )


def return_draws(*, invoices: Iterable[Invoice], now: datetime) -> None:
    """Give back what the invoices drew: drafts that are priced anew or thrown away, invoices that are voided.

    Returned twice is returned once. What expired meanwhile comes back expired, and only a bill that fell due in
    time can still draw it.
    """
    kinds = [MovementKind.DRAWN, MovementKind.RETURNED]
    found = CreditMovement.objects.filter(invoice__in=list(invoices), kind__in=kinds).order_by("id")
    open_draws: dict[tuple[str, str | None, str | None], Decimal] = {}
    for one in found:
        key = one.grant_id, one.invoice_id, one.line_id
        open_draws[key] = open_draws.get(key, Decimal(0)) - one.amount
    record_movements(
        [
            CreditMovement(
                grant_id=grant,
                kind=MovementKind.RETURNED,
                amount=amount,
                invoice_id=invoice,
                line_id=line,
                occurred_at=now,
            )
            for (grant, invoice, line), amount in open_draws.items()
            if amount
        ]
    )


def record_movements(movements: Sequence[CreditMovement]) -> None:
    """Store movements with the balances they change and what they do to the books."""
    if not movements:
        return
    CreditMovement.objects.bulk_create(movements)
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [[one.grant_id for one in movements], [one.amount for one in movements]])
    post_credit_movements(movements)


def store_grants(grants: Sequence[CreditGrant], movements: Sequence[CreditMovement]) -> None:
    """New grants with the movements that filled them, and in the books."""
    if not grants:
        return
    with transaction.atomic():
        CreditGrant.objects.bulk_create(grants)
        post_credit_movements(CreditMovement.objects.bulk_create(movements))
