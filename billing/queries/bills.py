"""Which invoices a subscription owes, and when each falls due. Found from its dates alone, never from what ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.models import Customer, Invoice, Subscription
from billing.models.catalogue import Bill as BillTime
from billing.models.invoices import InvoiceKind
from billing.queries.timeline import Regime, add_on_spans, billed_from, regimes, spans, zone_of
from kernel.period import Month, Period

_INSTANT = timedelta(microseconds=1)


#: Subscription, kind and start.
BillKey = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True)
class Bill:
    """One invoice to be: a whole billing period in arrears, one in advance, or both.

    `in_force` is the part of the period it is named after that is charged; its start tells bills of a
    subscription apart. It falls due at `due_at`, and closing `month` issues it.
    """

    regime: Regime
    kind: InvoiceKind
    arrears: Period | None
    advance: Period | None
    in_force: Period
    due_at: datetime
    month: Month

    @property
    def subscription(self) -> Subscription:
        return self.regime.subscription

    @property
    def customer(self) -> Customer:
        return self.regime.subscription.customer

    @property
    def currency(self) -> str:
        return self.regime.subscription.plan_version.currency

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
            charged, in_force = _charged(regime, whole), regime.in_force(whole)
            if charged is None or in_force is None:
                continue
            if _opens(regime, whole) and Month.of(charged.start, zone) == month and _pays_in_advance(regime, whole):
                yield _opening_bill(regime, whole, charged)
            if Month.of(in_force.end - _INSTANT, zone) == month:
                yield _cycle_bill(regime, whole, charged)


def open_bill(subscription: Subscription, now: datetime) -> Bill | None:
    """The bill for the period that `now` lies in, whenever it falls due; None outside the subscription."""
    found = _period_at(subscription, now)
    if found is None:
        return None
    regime, whole = found
    charged, in_force = _charged(regime, whole), regime.in_force(whole)
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
    """Those of `bills` for which there is no invoice yet; one query."""
    found = list(bills)
    issued = set(
        Invoice.objects.filter(
            subscription__in={bill.subscription.pk for bill in found},
            period_start__in={bill.in_force.start for bill in found},
        ).values_list("subscription_id", "kind", "period_start")
    )
    return [bill for bill in found if bill.key not in issued]


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


def _opens(regime: Regime, whole: Period) -> bool:
    """Whether `whole` is the regime's first period."""
    return whole.start <= regime.starts_at < whole.end


def _opening_bill(regime: Regime, whole: Period, charged: Period) -> Bill:
    month = Month.of(charged.start, regime.zone)
    return Bill(regime, InvoiceKind.OPENING, None, whole, charged, charged.start, month)


def _cycle_bill(regime: Regime, whole: Period, charged: Period) -> Bill:
    """Due when the period ends, or the regime where it ends first; paused days at its end are waited for."""
    in_force, following = regime.in_force(whole), None
    assert in_force is not None
    if in_force.end == whole.end:
        day = whole.end.astimezone(regime.zone).date()
        [coming] = regime.periods(day, day)
        following = coming if _pays_in_advance(regime, coming) else None
    month = Month.of(in_force.end - _INSTANT, regime.zone)
    return Bill(regime, InvoiceKind.CYCLE, whole, following, charged, in_force.end, month)


def _pays_in_advance(regime: Regime, whole: Period) -> bool:
    """Whether anything of `whole` is charged before it, as things stand when it begins."""
    versions = [span.version for span in spans(regime, whole, at_start=True)]
    add_ons = list(regime.subscription.add_ons.all())
    versions += [span.version for span in add_on_spans(regime, whole, add_ons, at_start=True)]
    return any(price.bill == BillTime.IN_ADVANCE for version in versions for price in version.prices.all())
