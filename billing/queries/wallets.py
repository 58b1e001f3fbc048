"""Customers' prepaid money and units, as bills draw on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from billing.domain.draws import Draw, Grant, draw
from billing.models import CreditGrant


class Wallets:
    """The grants of several customers. What one bill of a batch has drawn is gone for the next; nothing is written.

    What a grant is of is said in one text: the currency's code, the pricing unit's id, or the meter's id.
    """

    def __init__(self, grants: Mapping[tuple[str, str], list[Grant]]) -> None:
        self._grants = dict(grants)

    @classmethod
    def load(cls, *, customers: Iterable[str], at: datetime) -> Wallets:
        """The grants of `customers` (ids) that may pay for what falls due up to `at`; one query."""
        rows = CreditGrant.objects.filter(customer__in=set(customers), balance__gt=0, effective_at__lt=at)
        grants: dict[tuple[str, str], list[Grant]] = defaultdict(list)
        for row in rows:
            grants[row.customer_id, is_of(row)].append(as_drawn(row))
        return cls(grants)

    def draw(self, *, customer_id: str, of: str, amount: Decimal, at: datetime) -> tuple[Draw, ...]:
        """What pays `amount`, due at `at`, or as much of it as there is, in the order that is promised."""
        grants = self._grants.get((customer_id, of))
        if not grants:
            return ()
        draws = draw(grants, amount, at)
        taken = {one.grant_id: one.amount for one in draws}
        self._grants[customer_id, of] = [
            replace(grant, balance=grant.balance - taken.get(grant.id, Decimal(0))) for grant in grants
        ]
        return draws

    def holds(self, *, customer_id: str, of: str) -> bool:
        """Whether the customer has any such grant."""
        return (customer_id, of) in self._grants


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
