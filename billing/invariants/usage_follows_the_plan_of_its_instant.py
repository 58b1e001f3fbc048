"""Usage is charged by the plan in force at its instant: once, and not while nothing is.

Read at each instant at which something about a subscription changed, and just before it: the usage lines that cover it
are those of the prices in force then, by the dates of the subscription alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from billing.catalog.models import PriceKind
from billing.invariants.violation import Violation
from billing.invoicing.models import InvoiceKind, InvoiceStatus, LineRole
from billing.models import Invoice, InvoiceLine, Price, Subscription, SubscriptionAddOn, SubscriptionPause
from billing.subscriptions.queries import subscriptions_of
from billing.subscriptions.timeline import billed_from
from kernel.period import Period

_INSTANT = timedelta(microseconds=1)
#: Subscriptions read at once.
_BATCH = 500
_UNCOUNTED = (InvoiceStatus.VOID, InvoiceStatus.DRAFT)
#: From an instant on, until another where there is one.
_Since = tuple[datetime, datetime | None]


@dataclass
class _Billed:
    """The days that a subscription's invoices are for, and its usage lines by the id of their price: those that count,
    and all, with those of drafts and void invoices."""

    days: list[Period] = field(default_factory=list)
    counted: list[tuple[str, Period]] = field(default_factory=list)
    all: list[tuple[str, Period]] = field(default_factory=list)


def violations(organization_id: int) -> Iterator[Violation]:
    invoiced = Invoice.objects.filter(organization_id=organization_id, kind=InvoiceKind.CYCLE).order_by()
    ids = iter(sorted(set(invoiced.values_list("subscription_id", flat=True))))
    while some := list(islice(ids, _BATCH)):
        billed = _billed(some)
        for one in subscriptions_of(organization_id).filter(pk__in=some):
            yield from _of(one, billed[one.pk])


def _of(subscription: Subscription, billed: _Billed) -> Iterator[Violation]:
    ends_at = subscription.ends_at
    # An invoice for days from the end on gives back what was paid for them.
    days = [one for one in billed.days if ends_at is None or one.start < ends_at]
    instants = {at for edges in _edges(subscription) for at in edges if at is not None}
    for at in sorted({probe for instant in instants for probe in (instant - _INSTANT, instant)}):
        if not any(at in one for one in days):
            continue
        prices = {price.pk: price for price in _in_force(subscription, at)}
        counted = Counter(price for price, period in billed.counted if at in period)
        covered = {price for price, period in billed.all if at in period}
        missing, extra = prices.keys() - covered, counted - Counter(prices.keys())
        if missing or extra:
            yield Violation(subscription.pk, f"{subscription.customer.key}: {_in_words(at, prices, missing, extra)}")


def _in_words(at: datetime, prices: dict[str, Price], missing: set[str], extra: Counter[str]) -> str:
    keys = dict(Price.objects.filter(pk__in=[*missing, *extra]).values_list("pk", "key"))
    found = [f"usage of {keys[price]!r} is not charged" for price in sorted(missing)]
    found += [
        f"usage of {keys[price]!r} is charged {'twice' if price in prices else 'and the price is not in force'}"
        for price in sorted(extra)
    ]
    return f"at {at.isoformat()} {', '.join(found)}"


def _billed(subscriptions: Sequence[str]) -> dict[str, _Billed]:
    found: dict[str, _Billed] = defaultdict(_Billed)
    invoices = Invoice.objects.filter(subscription__in=subscriptions, kind=InvoiceKind.CYCLE).order_by()
    for one, start, end in invoices.exclude(status__in=_UNCOUNTED).values_list(
        "subscription_id", "period_start", "period_end"
    ):
        found[one or ""].days.append(Period(start, end))
    lines = InvoiceLine.objects.filter(
        invoice__subscription__in=subscriptions,
        invoice__kind=InvoiceKind.CYCLE,
        kind=PriceKind.USAGE,
        role=LineRole.CHARGE,
    ).order_by()
    names = "invoice__subscription_id", "price_id", "period_start", "period_end", "invoice__status"
    for one, price, start, end, status in lines.values_list(*names):
        if start < end:
            line = price or "", Period(start, end)
            found[one or ""].all.append(line)
            found[one or ""].counted += [] if status in _UNCOUNTED else [line]
    return found


def _edges(one: Subscription) -> Iterator[_Since]:
    """The instants at which something about its usage changed."""
    yield _life(one)
    yield from ((change.usage_starts_at or change.starts_at, None) for change in one.plan_changes.all())
    yield from (_usage_of(pause) for pause in one.pauses.all())
    yield from (_usage_of(add_on) for add_on in one.add_ons.all())


def _usage_of(part: SubscriptionPause | SubscriptionAddOn) -> _Since:
    return part.usage_starts_at or part.starts_at, part.usage_ends_at or part.ends_at


def _life(one: Subscription) -> _Since:
    start = billed_from(one) if one.trial_days else one.usage_starts_at or one.starts_at
    return start, one.usage_ends_at or one.ends_at


def _in_force(one: Subscription, at: datetime) -> Iterator[Price]:
    """The usage prices that charge an event at an instant."""
    if not _holds(_life(one), at) or any(_holds(_usage_of(pause), at) for pause in one.pauses.all()):
        return
    changed = [change for change in one.plan_changes.all() if (change.usage_starts_at or change.starts_at) <= at]
    versions = [changed[-1].plan_version if changed else one.plan_version]
    versions += [add_on.plan_version for add_on in one.add_ons.all() if _holds(_usage_of(add_on), at)]
    yield from (price for version in versions for price in version.prices.all() if price.kind == PriceKind.USAGE)


def _holds(since: _Since, at: datetime) -> bool:
    start, end = since
    return start <= at and (end is None or at < end)
