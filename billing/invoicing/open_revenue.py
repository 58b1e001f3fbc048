"""Revenue of months without an invoice: priced when asked, or kept for large organizations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Count, Min, Q, QuerySet

from billing.invoicing.priced import PricedInvoice
from billing.invoicing.pricing import current_snapshot, price_month
from billing.models import OpenRevenue, OpenRevenueReader, Subscription
from billing.subscriptions.queries import with_terms
from kernel.period import Month
from metering.facade import changed_periods

#: So many are priced while somebody waits. Of more, what was kept of them answers.
PRICED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class OpenAmount:
    """What one subscription's bills of a month come to: after discounts and before tax, and the tax on that.

    `problem` says why it cannot be priced; the amounts are nothing then. Of amounts that are summed up, no name is
    known, and `count` says how many they are.
    """

    subscription_id: str
    customer_id: str
    customer: str
    customer_name: str
    plan: str
    month: str
    currency: str
    net: Decimal
    tax: Decimal
    problem: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class OpenAmounts:
    """`as_of` is when the oldest of the amounts was worked out; None where all were just now. `missing` subscriptions
    have not been priced yet, so that their amounts are not among them."""

    rows: tuple[OpenAmount, ...]
    as_of: datetime | None = None
    missing: int = 0


def open_amounts(
    subscriptions: QuerySet[Subscription],
    months: Sequence[Month],
    *,
    at_once: int | None = None,
    is_summed: bool = False,
) -> OpenAmounts:
    """What bills of `months` without an invoice come to so far. All `subscriptions` are of one organization.

    Up to `at_once` subscriptions (`PRICED_AT_ONCE` unless given), and all of an organization with no more than
    `PRICED_AT_ONCE`, are priced by the function that issues the invoices. Of more, the answer is what
    `refresh_open_revenue` kept seconds to minutes ago; with `is_summed`, what can be priced is summed by month and
    currency.
    """
    if not months:
        return OpenAmounts(())
    few = list(subscriptions.order_by("id").values_list("pk", "organization_id")[: PRICED_AT_ONCE + 1])
    is_large = bool(few) and _is_large(few[0][1])
    if len(few) <= (PRICED_AT_ONCE if at_once is None else at_once) or not is_large:
        found = list(with_terms(Subscription.objects.filter(pk__in=[one for one, _ in few])))
        return OpenAmounts(tuple(amount for month in months for amount in price_amounts(found, month)))
    return _kept(subscriptions, [str(month) for month in months], is_summed=is_summed)


def price_amounts(subscriptions: Sequence[Subscription], month: Month) -> list[OpenAmount]:
    """The amount of each bill of `month` that has no invoice."""
    return [_amount(one, month) for one in price_month(subscriptions, month)]


def _amount(one: Any, month: Month) -> OpenAmount:
    subscription = one.subscription
    named = (
        subscription.pk,
        subscription.customer_id,
        subscription.customer.key,
        subscription.customer.name,
        subscription.plan_version.plan.key,
        str(month),
    )
    if isinstance(one, PricedInvoice):
        return OpenAmount(*named, one.currency, one.subtotal - one.discount, one.tax)
    return OpenAmount(*named, subscription.plan_version.currency, Decimal(0), Decimal(0), one.error.detail)


def _is_large(organization_id: int) -> bool:
    """Whether amounts are kept of the organization's subscriptions."""
    return Subscription.objects.filter(organization_id=organization_id)[: PRICED_AT_ONCE + 1].count() > PRICED_AT_ONCE


# Amounts of a bill that has got its invoice since are left out: the invoice says what they came to.
_KEPT = """
WITH kept AS (
    SELECT revenue.subscription_id, month.key AS month, revenue.currency, month.value ->> 'net' AS net,
        month.value ->> 'tax' AS tax, month.value ->> 'problem' AS problem
    FROM billing_openrevenue revenue CROSS JOIN LATERAL jsonb_each(revenue.months) month
    WHERE revenue.subscription_id IN ({subscriptions}) AND month.key = ANY(%s) AND NOT EXISTS (
        SELECT FROM billing_invoice invoice
        WHERE invoice.subscription_id = revenue.subscription_id AND invoice.month = month.key
            AND invoice.created_at > revenue.priced_at
    )
)
"""
_EACH = """
SELECT kept.subscription_id, customer.id, customer.key, customer.name, plan.key, kept.month, kept.currency, kept.net,
    kept.tax, kept.problem, 1
FROM kept
JOIN billing_subscription subscription ON subscription.id = kept.subscription_id
JOIN billing_customer customer ON customer.id = subscription.customer_id
JOIN billing_planversion version ON version.id = subscription.plan_version_id
JOIN billing_plan plan ON plan.id = version.plan_id
"""
_SUMS = f"""
{_EACH} WHERE kept.problem IS NOT NULL
UNION ALL
SELECT '', '', '', '', '', month, currency, sum(net::numeric)::text, sum(tax::numeric)::text, NULL, count(*)
FROM kept WHERE problem IS NULL GROUP BY month, currency
"""  # noqa: S608 - all of it is ours


def _kept(subscriptions: QuerySet[Subscription], months: list[str], *, is_summed: bool) -> OpenAmounts:
    ids = subscriptions.order_by().values("pk")
    kept = OpenRevenue.objects.filter(subscription__in=ids).aggregate(count=Count("*"), oldest=Min("priced_at"))
    statement, parameters = ids.query.sql_with_params()
    rest = _SUMS if is_summed else f"{_EACH} ORDER BY kept.subscription_id, kept.month"
    with connection.cursor() as cursor:
        cursor.execute(_KEPT.format(subscriptions=statement) + rest, [*parameters, months])
        rows = tuple(_read(*row) for row in cursor.fetchall())
    return OpenAmounts(rows, kept["oldest"], max(0, subscriptions.count() - kept["count"]))


def _read(*row: Any) -> OpenAmount:
    *named, net, tax, problem, count = row
    return OpenAmount(*(*named, Decimal(net or 0), Decimal(tax or 0), problem or "", count))


#: Subscriptions priced by one transaction, and in one call for an organization.
BATCH, MOST = 100, 1_000
#: Prices, seats and credits change too, and are not looked for.
_LONGEST = timedelta(minutes=30)


def refresh_open_revenue(*, now: datetime) -> int:
    """Price what is missing or has changed, of every organization that needs it; returns how many subscriptions.

    Safe to run twice and to kill: each batch is a transaction, and what is left is found again.
    """
    many = Subscription.objects.order_by().values("organization_id").annotate(count=Count("pk"))
    organizations = many.filter(count__gt=PRICED_AT_ONCE).values_list("organization_id", flat=True)
    return sum(refresh_organization(organization_id=one, now=now) for one in organizations)


def refresh_organization(*, organization_id: int, now: datetime) -> int:
    """As `refresh_open_revenue`, of one organization; nothing where another process is at it."""
    with transaction.atomic():
        if not _mark_changed(organization_id, now):
            return 0
    months = open_months(now)
    done = 0
    while done < MOST:
        with transaction.atomic():
            ids = _due(organization_id, now)
            if ids:
                _price(ids, months, now)
        done += len(ids)
        if len(ids) < BATCH:
            break
    return done


def open_months(now: datetime) -> tuple[Month, Month]:
    """The month of `now`, and the one before it, which may have no invoices yet; the earlier first."""
    month = Month.of(now, ZoneInfo("UTC"))
    return month.previous(), month


def _mark_changed(organization_id: int, now: datetime) -> bool:
    """Note whose usage has changed since the last time; False where another process is doing it."""
    OpenRevenueReader.objects.bulk_create(
        [OpenRevenueReader(organization_id=organization_id, snapshot="")], ignore_conflicts=True
    )
    reader = OpenRevenueReader.objects.select_for_update(skip_locked=True).filter(pk=organization_id).first()
    if reader is None:
        return False
    snapshot = current_snapshot()
    if reader.snapshot:
        changed = changed_periods(organization_id=organization_id, since=reader.snapshot, until=None, before=now)
        customers = {one.subject for one in changed}
        OpenRevenue.objects.filter(organization_id=organization_id, subscription__customer__key__in=customers).update(
            is_stale=True
        )
    OpenRevenueReader.objects.filter(pk=organization_id).update(snapshot=snapshot)
    return True


def _due(organization_id: int, now: datetime) -> list[str]:
    """The next subscriptions to price: those never priced, then those whose usage changed, then old ones."""
    unknown = Subscription.objects.filter(organization_id=organization_id).exclude(
        pk__in=OpenRevenue.objects.filter(organization_id=organization_id).values("pk")
    )
    found = list(unknown.order_by("id").values_list("pk", flat=True)[:BATCH])
    if len(found) < BATCH:
        kept = OpenRevenue.objects.filter(organization_id=organization_id)
        old = kept.filter(Q(is_stale=True) | Q(priced_at__lt=now - _LONGEST)).order_by("-is_stale", "priced_at", "pk")
        found += old.values_list("pk", flat=True)[: BATCH - len(found)]
    return found


def _price(ids: Iterable[str], months: Iterable[Month], now: datetime) -> None:
    subscriptions = list(with_terms(Subscription.objects.filter(pk__in=list(ids))))
    amounts: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for month in months:
        # A subscription has several bills in a month where it is billed by the week or charged in advance.
        for one in price_amounts(subscriptions, month):
            before = amounts[one.subscription_id].get(one.month, {})
            amounts[one.subscription_id][one.month] = {
                "net": str(Decimal(before.get("net", "0")) + one.net),
                "tax": str(Decimal(before.get("tax", "0")) + one.tax),
                **({"problem": one.problem or before["problem"]} if one.problem or "problem" in before else {}),
            }
    OpenRevenue.objects.bulk_create(
        [
            OpenRevenue(
                subscription=one,
                organization_id=one.organization_id,
                currency=one.plan_version.currency,
                months=amounts[one.pk],
                is_stale=False,
                priced_at=now,
            )
            for one in subscriptions
        ],
        update_conflicts=True,
        unique_fields=["subscription"],
        update_fields=["currency", "months", "is_stale", "priced_at"],
    )
