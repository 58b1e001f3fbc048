"""What customers were billed for a selection's months, and what those not invoiced yet come to so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, Sum

from billing.facade import Invoice, PricedInvoice, Unpriceable, price_month, subscriptions_of
from kernel.period import Month

ZERO = Decimal(0)

#: Statuses of an invoice that was issued and not taken back.
ISSUED = ("finalized", "paid", "uncollectible")


@dataclass(frozen=True, slots=True)
class RevenueRow:
    """One customer on one plan: amounts before tax, and the tax on them."""

    customer: str
    plan: str
    currency: str
    issued: Decimal
    upcoming: Decimal
    tax: Decimal

    @property
    def billed(self) -> Decimal:
        return self.issued + self.upcoming


@dataclass(frozen=True, slots=True)
class Revenue:
    """Amounts of several currencies are never added up. `unpriceable` have a month that cannot be priced."""

    rows: tuple[RevenueRow, ...]
    unpriceable: tuple[Unpriceable, ...]

    @property
    def currencies(self) -> list[str]:
        """The currency of most rows first."""
        return [currency for currency, _ in Counter(row.currency for row in self.rows).most_common()]

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


def revenue_of(
    organization_id: int,
    months: Sequence[Month],
    *,
    now: datetime,
    customers: tuple[str, ...] | None = None,
    plan: str | None = None,
) -> Revenue:
    """Issued invoices of `months`, and the preview of those of the open month and the one before it which
    have no invoice yet. Drafts and voided invoices count as nothing."""
    invoices = Invoice.objects.filter(
        organization_id=organization_id, month__in=[str(month) for month in months], status__in=ISSUED
    )
    subscriptions = subscriptions_of(organization_id)
    if customers is not None:
        invoices = invoices.filter(customer__key__in=customers)
        subscriptions = subscriptions.filter(customer__key__in=customers)
    if plan is not None:
        invoices = invoices.filter(subscription__plan_version__plan__key=plan)
        subscriptions = subscriptions.filter(plan_version__plan__key=plan)
    rows = list(_issued(invoices))
    unpriceable: list[Unpriceable] = []
    open_month = Month.of(now, ZoneInfo("UTC"))
    for month in (open_month.previous(), open_month):
        if month in months:
            for one in price_month(list(subscriptions), month):
                if isinstance(one, PricedInvoice):
                    rows.append(_upcoming(one))
                else:
                    unpriceable.append(one)
    return Revenue(tuple(rows), tuple(unpriceable))


def _issued(invoices: QuerySet[Invoice]) -> Iterable[RevenueRow]:
    sums = (
        invoices.order_by()
        .values("currency", customer_key=F("customer__key"), plan_key=F("subscription__plan_version__plan__key"))
        .annotate(net=Sum("subtotal") - Sum("discount"), taxes=Sum("tax"))
    )
    for row in sums:
        yield RevenueRow(row["customer_key"], row["plan_key"], row["currency"], row["net"], ZERO, row["taxes"])


def _upcoming(one: PricedInvoice) -> RevenueRow:
    subscription = one.subscription
    plan = subscription.plan_version.plan.key
    return RevenueRow(subscription.customer.key, plan, one.currency, ZERO, one.subtotal, one.tax)
