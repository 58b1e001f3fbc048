"""Customers' prepaid money and units, as bills draw on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from billing.credits.models import MovementKind
from billing.invoicing.models import InvoiceKind, InvoiceStatus
from billing.models import CreditGrant, CreditMovement
from billing.rating.draws import Draw, Grant, draw


class Wallets:
    """The grants of several customers. What one bill of a batch has drawn is gone for the next; nothing is written.

    What a grant is of is said in one text: the currency's code, the pricing unit's id, or the meter's id.
    """

    def __init__(self, rows: Iterable[CreditGrant] = ()) -> None:
        self._grants: dict[str, Grant] = {}
        self._held: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in rows:
            self._grants[row.pk] = as_drawn(row)
            self._held[row.customer_id, is_of(row)].append(row.pk)

    @classmethod
    def load(cls, *, customers: Iterable[str], at: datetime, lock: bool = False) -> Wallets:
        """The grants of `customers` (ids) that may pay for what falls due up to `at`; one query.

        A transaction that is not of isolation REPEATABLE READ and will record its draws has to `lock` them.
        """
        rows = CreditGrant.objects.filter(customer__in=set(customers), balance__gt=0, effective_at__lt=at)
        return cls(rows.select_for_update().order_by("id") if lock else rows)

    @classmethod
    def as_used_by(cls, invoices: Mapping[str, datetime]) -> Wallets:
        """Only the units that issued invoices (ids, each with when it fell due) drew, for each of them alone: what
        prices them again as they were priced. Not money, which pays no line."""
        wallets = cls()
        used = units_used(Q(invoice__in=list(invoices)), "invoice_id", "invoice__subscription_id")
        for (invoice, subscription, _, of), amount in used.items():
            due_at = invoices[invoice]
            wallets._grants[f"{invoice} {of}"] = Grant(
                id=f"{invoice} {of}",
                balance=amount,
                effective_at=due_at - timedelta(microseconds=1),
                expires_at=due_at,
                created_at=due_at,
            )
            wallets._held[subscription, of].append(f"{invoice} {of}")
        return wallets

    def draw(
        self, *, customer_id: str, of: str, amount: Decimal, at: datetime, subscription_id: str = ""
    ) -> tuple[Draw, ...]:
        """What pays `amount`, due at `at`, or as much of it as there is, in the order that is promised."""
        held = self._held.get((customer_id, of)) or self._held.get((subscription_id, of), [])
        draws = draw([self._grants[grant] for grant in held], amount, at)
        for one in draws:
            self._add(one.grant_id, -one.amount)
        return draws

    def give_back(self, draws: Iterable[Draw]) -> None:
        """What was drawn for a bill that then could not be priced."""
        for one in draws:
            self._add(one.grant_id, one.amount)

    def _add(self, grant_id: str, amount: Decimal) -> None:
        grant = self._grants[grant_id]
        self._grants[grant_id] = replace(grant, balance=grant.balance + amount)


class UnitsUsedBefore:
    """The units that threshold invoices which are not void drew for lines of open periods."""

    def __init__(self, subscriptions: Iterable[str]) -> None:
        self._used: dict[tuple[str, str, datetime, str], Decimal] = defaultdict(Decimal)
        lines = Q(invoice__subscription__in=set(subscriptions), invoice__kind=InvoiceKind.THRESHOLD)
        names = ("invoice__subscription_id", "line__price_id", "line__period_start")
        for (subscription, price, start, _, of), amount in units_used(
            lines & ~Q(invoice__status=InvoiceStatus.VOID), *names
        ).items():
            self._used[subscription, price, start, of] += amount

    def of(self, *, subscription: str, price: str, start: datetime, of: str) -> Decimal:
        """What was drawn for a price over the days from `start` on."""
        return self._used.get((subscription, price, start, of), Decimal(0))


def units_used(lines: Q, *by: str) -> dict[tuple[Any, ...], Decimal]:
    """What lines of invoices drew of meters' and pricing units and did not give back: by `by`, the customer, and what
    it is of; one query."""
    names = (*by, "grant__customer_id", "grant__meter_id", "grant__pricing_unit_id")
    drawn = CreditMovement.objects.filter(
        lines, grant__currency="", kind__in=[MovementKind.DRAWN, MovementKind.RETURNED]
    )
    rows = drawn.order_by().values_list(*names).annotate(drawn=-Sum("amount"))
    return {(*key, meter or unit): amount for *key, meter, unit, amount in rows if amount}


def is_of(grant: CreditGrant) -> str:
    """What a grant is of: a currency's code, a pricing unit's id or a meter's id."""
    return str(grant.currency or grant.pricing_unit_id or grant.meter_id)


def as_drawn(grant: CreditGrant) -> Grant:
    """A grant as the order of drawing sees it."""
    return Grant(
        id=grant.pk,
        balance=grant.balance,
        effective_at=grant.effective_at,
        created_at=grant.created_at,
        expires_at=grant.expires_at,
        priority=grant.priority,
        source=grant.source,
    )
