"""Bills: the invoices a subscription owes and when each is due, from its dates alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.catalog.models import SETTLEMENT_HOURS
from billing.catalog.models import Bill as BillTime
from billing.invoicing.models import InvoiceKind
from billing.models import Customer, EmptyBill, Invoice, Subscription
from billing.subscriptions.queries import subscriptions_of
from billing.subscriptions.timeline import (
    Regime,
    add_on_spans,
    billed_from,
    charged_prices,
    regimes,
    spans,
    status_at,
    version_at,
    zone_of,
)
from kernel.period import Month, Period, midnight


def settlement_window(*, organization_id: int, customer: str | None, at: datetime) -> timedelta:
    """How long after `at`, a task's end, its outcome may still be settled: the longest of what the plans say that
    `customer` (its key) is on at that time, and 72 hours without one."""
    found = subscriptions_of(organization_id).filter(customer__key=customer) if customer else ()
    hours = [
        version_at(one, at).settlement_hours for one in found if status_at(one, at) != "ended" and one.starts_at <= at
    ]
    return timedelta(hours=max(hours, default=SETTLEMENT_HOURS))


_INSTANT = timedelta(microseconds=1)


#: Subscription, kind and start.
BillKey = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True)
class Bill:
    """One invoice to be: a whole billing period in arrears, one in advance, or both.

    `in_force` is the part of the period it is named after that is charged; its start tells bills of a
    subscription apart. It falls due at `due_at`, and closing `month` issues it. It settles what invoices before it
    charged from one of the days of `settles` on; no day is settled by two bills, so that nothing is given back twice.
    """

    regime: Regime
    kind: InvoiceKind
    arrears: Period | None
    advance: Period | None
    in_force: Period
    due_at: datetime
    month: Month
    settles: Period | None = None
    #: It charges nothing of its own: an end or another interval came when the next period was paid for already.
    only_settles: bool = False

    @property
    def subscription(self) -> Subscription:
        return self.regime.subscription

    @property
    def customer(self) -> Customer:
        return self.regime.subscription.customer

    @property
    def currency(self) -> str:
        return self.regime.subscription.plan_version.currency

    def settles_usage_from(self, instant: datetime) -> bool:
        """Return whether this bill charges, as a whole, usage that a threshold invoice charged from `instant` on."""
        regime = self.regime
        if self.arrears is None or self.only_settles or instant not in self.arrears:
            return False
        has_begun = regime.is_first or instant >= regime.usage_from
        return has_begun and (regime.usage_until is None or instant < regime.usage_until)

    @property
    def counts_drafts(self) -> bool:
        """Return whether it settles what drafts charge. A bill for days that were never in force does not: drafts
        lose their charges for these days when they are priced again."""
        return not (self.only_settles and self.kind == InvoiceKind.CYCLE)

    @property
    def key(self) -> BillKey:
        """What no two invoices share."""
        return self.subscription.pk, self.kind.value, self.in_force.start


def bills_in_month(subscription: Subscription, month: Month) -> Iterator[Bill]:
    """The bills that closing `month` issues, in order of time."""
    for regime in regimes(subscription):
        zone, first = regime.zone, max(month.first_day, regime.first_day)
        if month.next().first_day <= first:
            continue
        for whole in regime.periods(first, month.next().first_day):
            charged, in_force = _billed(regime, whole), regime.in_force(whole)
            if _never_began(regime, whole) and Month.of(whole.start, zone) == month:
                yield _closing_bill(regime, whole)
            elif _never_charged(regime, whole) and Month.of(regime.starts_at, zone) == month:
                yield _refunding_bill(regime, whole)
            if charged is None or in_force is None:
                continue
            is_charged = _charged(regime, whole) is not None and Month.of(charged.start, zone) == month
            if is_charged and _opens(regime, whole) and _has_opening(regime, whole):
                yield _opening_bill(regime, whole, charged)
            if Month.of(in_force.end - _INSTANT, zone) == month:
                yield _cycle_bill(regime, whole, charged)


def open_bill(subscription: Subscription, now: datetime) -> Bill | None:
    """The bill for the period that `now` lies in, whenever it falls due; None outside the subscription."""
    found = _period_at(subscription, now)
    if found is None:
        return None
    regime, whole = found
    charged, in_force = _billed(regime, whole), regime.in_force(whole)
    return _cycle_bill(regime, whole, charged) if charged and in_force and now < in_force.end else None


def paid_in_advance_by(bill: Bill) -> Bill | None:
    """The bill that charges, in advance, the period that `bill` charges in arrears; None where nothing does."""
    regime, whole = bill.regime, bill.arrears
    if whole is None or not _pays_in_advance(regime, whole):
        return None
    charged = _charged(regime, whole)
    assert charged is not None, "a bill has no period in which nothing is charged"
    if _opens(regime, whole):
        return _opening_bill(regime, whole, charged)
    day = (whole.start - _INSTANT).astimezone(regime.zone).date()
    [before] = regime.periods(day, day)
    charged = _charged(regime, before)
    return _cycle_bill(regime, before, charged) if charged else None


def bill_of(invoice: Invoice, subscription: Subscription) -> Bill | None:
    """The bill that an invoice of a subscription's period was made from, by what its dates say today."""
    key = (subscription.pk, invoice.kind, invoice.period_start)
    return next((bill for bill in bills_in_month(subscription, Month.parse(invoice.month)) if bill.key == key), None)


def period_end(subscription: Subscription, now: datetime) -> datetime:
    """When the billing period that `now` lies in ends; before the first one, when that ends."""
    return billing_period_at(subscription, now).end


def billing_period_at(subscription: Subscription, now: datetime) -> Period:
    """The whole billing period that `now` lies in; the first one before it begins."""
    found = _period_at(subscription, max(now, billed_from(subscription)))
    assert found is not None, "from its start on, every instant lies in a period"
    return found[1]


def without_invoice(bills: Iterable[Bill]) -> list[Bill]:
    """Those of `bills` for which there is no invoice yet, less those that were empty when they fell due; one query."""
    found = list(bills)
    asked = {
        "subscription__in": {bill.subscription.pk for bill in found},
        "period_start__in": {bill.in_force.start for bill in found},
    }
    of_invoices, of_empty = (
        model.objects.order_by().filter(**asked).values_list("subscription_id", "kind", "period_start")
        for model in (Invoice, EmptyBill)
    )
    done = set(of_invoices.union(of_empty, all=True)) if found else set()
    return [bill for bill in found if bill.key not in done]


def _period_at(subscription: Subscription, now: datetime) -> tuple[Regime, Period] | None:
    day = now.astimezone(zone_of(subscription)).date()
    for regime in reversed(regimes(subscription)):
        if day >= regime.first_day:
            [whole] = regime.periods(day, day)
            return regime, whole
    return None


def _charged(regime: Regime, whole: Period) -> Period | None:
    """From the first to the last day of `whole` that is charged."""
    found = spans(regime, whole)
    return Period(found[0].period.start, found[-1].period.end) if found else None


def _billed(regime: Regime, whole: Period) -> Period | None:
    """The days a bill of `whole` is for: `_charged`, or the days in force where all that there is of it is a last day
    that another subscription is charged for, since it may have usage."""
    charged, in_force, day = _charged(regime, whole), regime.in_force(whole), regime.subscription.continued_on
    is_handed_over = in_force is not None and day is not None and midnight(day, regime.zone) in in_force
    return in_force if charged is None and is_handed_over else charged


def _opens(regime: Regime, whole: Period) -> bool:
    """Whether `whole` is the regime's first period."""
    return whole.start <= regime.starts_at < whole.end


def _opening_bill(regime: Regime, whole: Period, charged: Period) -> Bill:
    month, settles = Month.of(charged.start, regime.zone), None if regime.is_first else regime.in_force(whole)
    advance = whole if _pays_in_advance(regime, whole) else None
    return Bill(
        regime, InvoiceKind.OPENING, None, advance, charged, charged.start, month, settles, only_settles=advance is None
    )


def _has_opening(regime: Regime, whole: Period) -> bool:
    """Whether a bill falls due when the regime begins. Another interval may begin on a day that the one before it was
    paid for already."""
    return not regime.is_first or _pays_in_advance(regime, whole)


def _never_began(regime: Regime, whole: Period) -> bool:
    """Whether the subscription ended at the instant at which `whole` begins: it may have been paid for by then."""
    subscription = regime.subscription
    if subscription.ends_at != whole.start or regime.ends_at != whole.start:
        return False
    return _has_advance_prices(subscription)


def _never_charged(regime: Regime, whole: Period) -> bool:
    """Return whether the subscription ended before it cost anything: with its trial, or before its start. `whole`, its
    first period, is due at the midnight that begins the day, so that it may have been paid for by then."""
    is_first_period = regime.is_first and _opens(regime, whole)
    return is_first_period and regime.in_force(whole) is None and _has_advance_prices(regime.subscription)


def _has_advance_prices(subscription: Subscription) -> bool:
    return any(price.bill == BillTime.IN_ADVANCE for price in charged_prices(subscription))


def _closing_bill(regime: Regime, whole: Period) -> Bill:
    """Settle what was charged for a period that then never began."""
    month = Month.of(whole.start, regime.zone)
    return Bill(regime, InvoiceKind.CYCLE, whole, None, whole, whole.start, month, settles=whole, only_settles=True)


def _refunding_bill(regime: Regime, whole: Period) -> Bill:
    """Give back what was charged for the first period of a subscription that never cost anything."""
    days = Period(midnight(regime.first_day, regime.zone), whole.end)
    month = Month.of(days.start, regime.zone)
    return Bill(regime, InvoiceKind.CYCLE, None, None, days, days.start, month, settles=days, only_settles=True)


def _cycle_bill(regime: Regime, whole: Period, charged: Period) -> Bill:
    """Due when the period ends, or the regime where it ends first; paused days at its end are waited for."""
    in_force, following = regime.in_force(whole), None
    assert in_force is not None
    if in_force.end == whole.end:
        day = whole.end.astimezone(regime.zone).date()
        [coming] = regime.periods(day, day)
        following = coming if _pays_in_advance(regime, coming) else None
    month = Month.of(in_force.end - _INSTANT, regime.zone)
    return Bill(regime, InvoiceKind.CYCLE, whole, following, charged, in_force.end, month, settles=in_force)


def _pays_in_advance(regime: Regime, whole: Period) -> bool:
    """Whether anything of `whole` is charged before it, as things stand when it begins."""
    versions = [span.version for span in spans(regime, whole, at_start=True)]
    add_ons = list(regime.subscription.add_ons.all())
    versions += [span.version for span in add_on_spans(regime, whole, add_ons, at_start=True)]
    return any(price.bill == BillTime.IN_ADVANCE for version in versions for price in version.prices.all())
