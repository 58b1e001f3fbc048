"""Customers' prepaid money and units, as bills draw on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from billing.domain.draws import Draw, Grant, draw
from billing.models import CreditGrant


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

    def draw(self, *, customer_id: str, of: str, amount: Decimal, at: datetime) -> tuple[Draw, ...]:
        """What pays `amount`, due at `at`, or as much of it as there is, in the order that is promised."""
        held = self._held.get((customer_id, of), ())
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
