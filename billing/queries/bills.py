"""Which invoices a subscription owes, and when each falls due. Found from its dates alone, never from what ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from billing.domain.cycle import Cycle
from billing.domain.in_force import period_in_force
from billing.models import Invoice, Subscription
from billing.models.catalogue import Bill as BillTime
from billing.models.customers import Anchor
from billing.models.invoices import InvoiceKind
from kernel.period import Month, Period, midnight


@dataclass(frozen=True, slots=True)
class Bill:
    """One invoice to be: a whole billing period in arrears, one in advance, or both.

    `in_force` is the part of the period it is named after in which the subscription was in force; its start
    tells bills of a subscription apart. It falls due at `due_at`, and closing `month` issues it.
    """

    subscription: Subscription
    kind: InvoiceKind
    arrears: Period | None
    advance: Period | None
    in_force: Period
    due_at: datetime
    month: Month

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What no two invoices share."""
        return self.subscription.pk, self.kind.value, self.in_force.start


def billed_from(subscription: Subscription) -> datetime:
    """The instant from which the subscription costs anything: its start, or the midnight after its trial."""
    if not subscription.trial_days:
        return subscription.starts_at
    zone = ZoneInfo(subscription.customer.timezone)
    first = subscription.starts_at.astimezone(zone).date() + timedelta(days=subscription.trial_days)
    return midnight(first, zone)


def in_force(subscription: Subscription, whole: Period) -> Period | None:
    """The days of `whole` that the subscription is billed for, or None."""
    zone = ZoneInfo(subscription.customer.timezone)
    return period_in_force(whole, zone, starts_at=billed_from(subscription), ends_at=subscription.ends_at)


def bills_in_month(subscription: Subscription, month: Month) -> Iterator[Bill]:
    """The bills that closing `month` issues, in order of time."""
    zone = ZoneInfo(subscription.customer.timezone)
    first_day = billed_from(subscription).astimezone(zone).date()
    for whole in _periods(subscription, max(month.first_day, first_day), month.next().first_day, zone):
        active = in_force(subscription, whole)
        if active is None:
            continue
        opens = first_day == active.start.astimezone(zone).date() and Month.of(active.start, zone) == month
        if opens and _has_fees_in_advance(subscription):
            yield Bill(subscription, InvoiceKind.OPENING, None, whole, active, active.start, month)
        if Month.of(active.end - timedelta(microseconds=1), zone) == month:
            yield _cycle_bill(subscription, whole, active, zone, month)


def open_bill(subscription: Subscription, now: datetime) -> Bill | None:
    """The bill for the period that `now` lies in, whenever it falls due; None outside the subscription."""
    zone = ZoneInfo(subscription.customer.timezone)
    day = now.astimezone(zone).date()
    for whole in _periods(subscription, day, day + timedelta(days=1), zone):
        active = in_force(subscription, whole)
        if active is not None:
            month = Month.of(active.end - timedelta(microseconds=1), zone)
            return _cycle_bill(subscription, whole, active, zone, month)
    return None


def period_end(subscription: Subscription, now: datetime) -> datetime:
    """When the billing period that `now` lies in ends."""
    zone = ZoneInfo(subscription.customer.timezone)
    [whole] = _periods(subscription, now.astimezone(zone).date(), None, zone)
    return whole.end


def without_invoice(bills: Iterable[Bill]) -> list[Bill]:
    """Those of `bills` for which there is no invoice yet; one query."""
    found = list(bills)
    issued = set(
        Invoice.objects.filter(
            subscription__in={bill.subscription.pk for bill in found},
            period_start__in={bill.in_force.start for bill in found},
        ).values_list("subscription_id", "kind", "period_start")
    )
    return [bill for bill in found if bill.key not in issued]


def _cycle_bill(subscription: Subscription, whole: Period, active: Period, zone: ZoneInfo, month: Month) -> Bill:
    following = None
    if active.end == whole.end and _has_fees_in_advance(subscription):
        [following] = _periods(subscription, whole.end.astimezone(zone).date(), None, zone)
        following = following if in_force(subscription, following) else None
    return Bill(subscription, InvoiceKind.CYCLE, whole, following, active, active.end, month)


def _periods(subscription: Subscription, first: date, until: date | None, zone: ZoneInfo) -> Iterator[Period]:
    """The whole periods from the one that `first` lies in to the last that begins before `until`; one where that
    is None."""
    version = subscription.plan_version
    anchor = None
    if subscription.anchor == Anchor.ANNIVERSARY:
        anchor = billed_from(subscription).astimezone(zone).date()
    cycle = Cycle(version.interval, version.interval_count, anchor)
    start, end = cycle.period_of(first)
    yield Period(midnight(start, zone), midnight(end, zone))
    while until is not None and end < until:
        start, end = cycle.period_of(end)
        yield Period(midnight(start, zone), midnight(end, zone))


def _has_fees_in_advance(subscription: Subscription) -> bool:
    return any(price.bill == BillTime.IN_ADVANCE for price in subscription.plan_version.prices.all())
