"""What customers were billed for a selection's months, and what those not invoiced yet come to so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Count, F, Sum, Value

from billing.facade import Invoice, OpenAmount, OpenAmounts, Subscription, open_amounts, open_months
from kernel.period import Month

ZERO = Decimal(0)

#: Statuses of an invoice that was issued and not taken back.
ISSUED = ("finalized", "paid", "uncollectible")


@dataclass(frozen=True, slots=True)
class RevenueRow:
    """One customer on one plan, or all of them ("") in one: amounts before tax, the tax on them, and how many bills."""

    customer: str
    plan: str
    currency: str
    issued: Decimal
    upcoming: Decimal
    tax: Decimal
    bills: int

    @property
    def billed(self) -> Decimal:
        return self.issued + self.upcoming


@dataclass(frozen=True, slots=True)
class Revenue:
    """Amounts of several currencies are never added up. `unpriceable` have a month that cannot be priced.

    `as_of` is when what is upcoming was worked out, None for just now; `missing` subscriptions were not worked out yet.
    """

    rows: tuple[RevenueRow, ...]
    unpriceable: tuple[OpenAmount, ...] = ()
    as_of: datetime | None = None
    missing: int = 0

    @property
    def currencies(self) -> list[str]:
        """The currency of most bills first."""
        bills: Counter[str] = Counter()
        for row in self.rows:
            bills[row.currency] += row.bills
        return [currency for currency, _ in bills.most_common()]

    def total(self, currency: str, part: str) -> Decimal:
        """`part` is `issued`, `upcoming`, `billed` or `tax`."""
        return sum((getattr(row, part) for row in self.rows if row.currency == currency), ZERO)

    def by(self, key: str, currency: str) -> dict[str, Decimal]:
        """What was billed before tax by `customer` or `plan`, most first."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.rows:
            if row.currency == currency:
                sums[getattr(row, key)] += row.billed
        return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


class RevenueReader:
    """Revenue of some customers or a plan. What is upcoming is read once, for all `months` that are asked for.

    With `is_summed`, customers and plans are not told apart where there are many.
    """

    def __init__(
        self,
        organization_id: int,
        months: Sequence[Month],
        *,
        now: datetime,
        customer: str | None = None,
        plan: str | None = None,
        is_summed: bool = False,
    ) -> None:
        self._is_summed = is_summed
        self._invoices = Invoice.objects.filter(organization_id=organization_id, status__in=ISSUED)
        self._subscriptions = Subscription.objects.filter(organization_id=organization_id)
        if customer is not None:
            self._invoices = self._invoices.filter(customer__key=customer)
            self._subscriptions = self._subscriptions.filter(customer__key=customer)
        if plan is not None:
            self._invoices = self._invoices.filter(subscription__plan_version__plan__key=plan)
            self._subscriptions = self._subscriptions.filter(plan_version__plan__key=plan)
        self._open = [month for month in open_months(now) if month in months]

    @cached_property
    def _upcoming(self) -> OpenAmounts:
        return open_amounts(self._subscriptions, self._open, is_summed=self._is_summed)

    def revenue(self, months: Sequence[Month]) -> Revenue:
        """Issued invoices of `months`, and what those of the open month and the one before it come to which have no
        invoice yet. Drafts and voided invoices count as nothing."""
        names = {str(month) for month in months}
        found = [one for one in self._upcoming.rows if one.month in names]
        upcoming = (
            RevenueRow(one.customer, one.plan, one.currency, ZERO, one.net, one.tax, one.count)
            for one in found
            if not one.problem
        )
        is_open = any(month in self._open for month in months)
        return Revenue(
            (*self._issued(names), *upcoming),
            tuple(one for one in found if one.problem),
            as_of=self._upcoming.as_of if is_open else None,
            missing=self._upcoming.missing if is_open else 0,
        )

    def billed(self, months: Sequence[Month], currency: str) -> Decimal:
        """The same in one currency, as one sum."""
        names = {str(month) for month in months}
        rows = self._invoices.filter(month__in=names, currency=currency)
        sums = rows.aggregate(net=Sum("subtotal") - Sum("discount"))
        upcoming = (one.net for one in self._upcoming.rows if one.month in names and one.currency == currency)
        return sum(upcoming, sums["net"] or ZERO)

    def _issued(self, months: set[str]) -> Iterable[RevenueRow]:
        names = {"customer_key": F("customer__key"), "plan_key": F("subscription__plan_version__plan__key")}
        apart = {name: Value("") for name in names} if self._is_summed else names
        rows = self._invoices.filter(month__in=months).order_by().values("currency", **apart)
        summed: Iterable[Any] = rows.annotate(net=Sum("subtotal") - Sum("discount"), taxes=Sum("tax"), bills=Count("*"))
        for row in summed:
            yield RevenueRow(
                row["customer_key"], row["plan_key"], row["currency"], row["net"], ZERO, row["taxes"], row["bills"]
            )
