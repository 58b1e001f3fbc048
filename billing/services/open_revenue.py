"""Keeping what open months come to, for organizations with too many subscriptions to price while somebody waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Count, Q

from billing.models import OpenRevenue, OpenRevenueReader, Subscription
from billing.queries.customers import with_terms
from billing.queries.open_revenue import PRICED_AT_ONCE, price_amounts
from billing.queries.rating import current_snapshot
from kernel.period import Month
from metering.facade import changed_periods

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
