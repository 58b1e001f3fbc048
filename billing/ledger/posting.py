"""Posting to the ledger. What each event does to the books is in `billing.ledger.postings`; here it is written down,
many at once and each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from billing.credits.models import MovementKind
from billing.ledger import postings
from billing.ledger.deferrals import Deferral, service_days
from billing.ledger.models import TransactionKind, ledger_transaction_id
from billing.ledger.postings import Draws, Entries
from billing.models import CreditGrant, CreditMovement, Customer, Invoice, InvoiceLine
from billing.rating.pricing.exact import ZERO, subtract, total

#: The entries and deferrals of a transaction are written with it or, where its source is booked already, not at all.
_POST = """
WITH posted AS (
    INSERT INTO billing_ledgertransaction (id, organization_id, kind, source, occurred_at, currency, customer_id,
        invoice_id, payment_id, credit_note_id, movement_id)
    SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::bigint[])
    ON CONFLICT (organization_id, source) DO NOTHING
    RETURNING id, organization_id, customer_id, currency, occurred_at
), entries AS (
    INSERT INTO billing_ledgerentry (transaction_id, account, amount)
    SELECT e.id, e.account, e.amount FROM unnest(%s::text[], %s::text[], %s::numeric[]) AS e (id, account, amount)
    JOIN posted USING (id)
), deferrals AS (
    INSERT INTO billing_deferredrevenue (transaction_id, organization_id, customer_id, currency, booked_at, line_id,
        amount, starts_on, ends_on, recognized, recognized_until)
    SELECT d.id, posted.organization_id, posted.customer_id, posted.currency, posted.occurred_at,
        d.line, d.amount, d.starts_on, d.ends_on, 0, d.starts_on
    FROM unnest(%s::text[], %s::text[], %s::numeric[], %s::date[], %s::date[])
        AS d (id, line, amount, starts_on, ends_on)
    JOIN posted USING (id)
)
SELECT count(*) FROM posted
"""


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction to be: what happened (`kind`, `source`), when, to whom, and what it does to the books.

    `source` is unique in the organization. `deferrals` are what of the entries' deferred revenue is earned when.
    """

    organization_id: int
    kind: TransactionKind
    source: str
    occurred_at: datetime
    currency: str
    customer_id: str
    entries: Entries
    deferrals: tuple[Deferral, ...] = ()
    invoice_id: str | None = None
    payment_id: str | None = None
    credit_note_id: str | None = None
    movement_id: int | None = None
    id: str = field(default_factory=ledger_transaction_id)


def post(found: Iterable[Posting]) -> int:
    """Write postings within the caller's transaction, in one statement; answers how many were new.

    One without entries is left out, and one whose source is booked already changes nothing.
    """
    given = [one for one in found if one.entries]
    if not given:
        return 0
    entries = [(one.id, entry.account.value, entry.amount) for one in given for entry in one.entries]
    deferrals = [(one.id, d.line, d.amount, d.starts_on, d.ends_on) for one in given for d in one.deferrals]
    transactions: list[Any] = [
        [one.id for one in given],
        [one.organization_id for one in given],
        [one.kind.value for one in given],
        [one.source for one in given],
        [one.occurred_at for one in given],
        [one.currency for one in given],
        [one.customer_id for one in given],
        [one.invoice_id for one in given],
        [one.payment_id for one in given],
        [one.credit_note_id for one in given],
        [one.movement_id for one in given],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_POST, [*transactions, *_columns(entries, 3), *_columns(deferrals, 5)])
        return int(cursor.fetchone()[0])


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


class _Line(NamedTuple):
    """What of an invoice line is booked."""

    invoice_id: str
    id: str
    amount: Decimal
    discount: Decimal
    period_start: datetime
    period_end: datetime


def post_invoices(*, invoices: Iterable[Invoice]) -> int:
    """Book invoices that have just been finalized, in the transaction that finalizes them; answers how many were new.

    Revenue of a line whose period is over is earned; that of any other is deferred. Credits they drew are booked
    with them. At most four statements, however many they are.
    """
    numbered = [one for one in invoices if one.number]
    lines: dict[str, list[_Line]] = defaultdict(list)
    stored = InvoiceLine.objects.filter(invoice__in=[one.pk for one in numbered]).order_by("invoice_id", "position")
    for line in map(_Line._make, stored.values_list(*_Line._fields)):
        lines[line.invoice_id].append(line)
    zones = dict(Customer.objects.filter(pk__in={one.customer_id for one in numbered}).values_list("pk", "timezone"))
    draws = draws_of(numbered)
    return post(
        _finalized(one, lines[one.pk], ZoneInfo(zones[one.customer_id]), draws.get(one.pk, Draws())) for one in numbered
    )


def _finalized(invoice: Invoice, lines: Sequence[_Line], zone: ZoneInfo, draws: Draws) -> Posting:
    assert invoice.finalized_at is not None, "it has a number"
    earned, deferrals = ZERO, []
    for line in lines:
        net = subtract(line.amount, line.discount)
        if net and line.period_end > invoice.finalized_at:
            first, end = service_days(line.period_start, line.period_end, zone)
            deferrals.append(Deferral(line.id, net, first, end))
        else:
            earned = total((earned, net))
    return Posting(
        organization_id=invoice.organization_id,
        kind=TransactionKind.INVOICE,
        source=f"invoice:{invoice.pk}",
        occurred_at=invoice.finalized_at,
        currency=invoice.currency,
        customer_id=invoice.customer_id,
        invoice_id=invoice.pk,
        deferrals=tuple(deferrals),
        entries=postings.invoice_finalized(
            total=invoice.total,
            tax=invoice.tax,
            earned=earned,
            deferred=total(one.amount for one in deferrals),
            draws=draws,
        ),
    )


def draws_of(invoices: Sequence[Invoice]) -> Mapping[str, Draws]:
    """The money that invoices drew from grants and did not give back, by invoice, of those that drew any."""
    drawing = [one.pk for one in invoices if one.credits_applied]
    if not drawing:
        return {}
    drawn: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
    movements = CreditMovement.objects.filter(
        invoice__in=drawing, kind__in=[MovementKind.DRAWN, MovementKind.RETURNED], grant__currency__gt=""
    )
    for invoice_id, source, amount in movements.values_list("invoice_id", "grant__source", "amount"):
        drawn[invoice_id].append((source, -amount))
    return {invoice_id: postings.draws_by_source(found) for invoice_id, found in drawn.items()}


_OF_MOVEMENT = {
    MovementKind.GRANTED.value: postings.credit_granted,
    MovementKind.ROLLED_OVER.value: postings.credit_rolled_over,
    MovementKind.EXPIRED.value: postings.credit_expired,
    MovementKind.VOIDED.value: postings.credit_voided,
}


def post_credit_movements(movements: Iterable[CreditMovement]) -> int:
    """Book stored movements of grants of money, within the caller's transaction.

    Those of units are not money. Draws and returns are booked with the invoice that they belong to: when it is
    finalized, and when it is voided.
    """
    booked = [one for one in movements if one.kind in _OF_MOVEMENT]
    grants = CreditGrant.objects.filter(currency__gt="").in_bulk({one.grant_id for one in booked})
    return post(_moved(one, grants[one.grant_id]) for one in booked if one.grant_id in grants)


def _moved(movement: CreditMovement, grant: CreditGrant) -> Posting:
    return Posting(
        organization_id=grant.organization_id,
        kind=TransactionKind.CREDIT,
        source=f"movement:{movement.pk}",
        occurred_at=movement.occurred_at,
        currency=grant.currency,
        customer_id=grant.customer_id,
        movement_id=movement.pk,
        invoice_id=movement.invoice_id,
        entries=_OF_MOVEMENT[movement.kind](source=grant.source, amount=abs(movement.amount)),
    )
