"""Usage for those whom Stripe invoices: pushed to its Billing Meters hour by hour, each hour's quantity once.

An hour is pushed when it is over. What counts into it later is pushed as another revision over the difference. A push
is a row and a call in one transaction, and the call's id is the event's identifier at Stripe, so that none counts
twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from accounts.facade import record_audit
from collection.models import PayingCustomer, ProviderCall, StripeMeter, UsagePush
from collection.models.calls import CallKind, provider_call_id
from collection.providers.directory import stripe_of
from collection.providers.stripe_provider import Stripe
from collection.queries.usage import Pushed, invoiced_at_stripe, pushed
from kernel.errors import ConflictError, InvalidError
from kernel.period import Period
from metering.facade import UsageQuestion, definition_of, get_meter_version, usage

HOUR = timedelta(hours=1)

#: Stripe takes events of the past 35 days; what comes later than this is not pushed any more.
PUSHABLE = timedelta(days=34)

#: Customers whose usage is read at once.
_AT_ONCE = 500

#: Aggregations of which the parts of an hour add up to the whole.
_ADDED_UP = frozenset({"sum", "count"})


class MeterNotAdditive(InvalidError):
    """Stripe adds up what is pushed, and this meter's quantities do not add up."""

    code = "meter_not_additive"


class StripeMeterExists(ConflictError):
    code = "stripe_meter_exists"


def map_meter(
    *, organization_id: int, meter: str, event_name: str, since: datetime, actor: str = "system"
) -> StripeMeter:
    """Have usage of our meter from `since` on (cut to its hour) pushed as events `event_name`. What feeds what does not
    change afterwards: unmap it and map another.

    Raises `MeterNotFound`, `MeterNotAdditive`, `StripeMeterExists`.
    """
    version = get_meter_version(organization_id=organization_id, meter=meter)
    if definition_of(version).aggregation not in _ADDED_UP:
        raise MeterNotAdditive("Stripe adds up what it is told: only meters that sum or count can feed its meters")
    start = since.replace(minute=0, second=0, microsecond=0)
    with transaction.atomic():
        found, is_new = StripeMeter.objects.get_or_create(
            organization_id=organization_id,
            meter=version.meter.key,
            defaults={"event_name": event_name, "since": start},
        )
        if not is_new and (found.event_name, found.since) != (event_name, start):
            raise StripeMeterExists(f"The meter {found.meter!r} feeds {found.event_name!r} already")
        if is_new:
            record_audit(
                organization_id=organization_id,
                actor=actor,
                action="stripe_meter.map",
                target=found.meter,
                event_name=event_name,
            )
    return found


def unmap_meter(*, stripe_meter: StripeMeter, actor: str = "system") -> None:
    """Push no more of it. What was pushed stays at Stripe; it is forgotten here, so mapping the meter again with an
    earlier `since` would push it twice."""
    with transaction.atomic():
        record_audit(
            organization_id=stripe_meter.organization_id,
            actor=actor,
            action="stripe_meter.unmap",
            target=stripe_meter.meter,
            event_name=stripe_meter.event_name,
        )
        stripe_meter.delete()


def push_usage(*, organization_id: int, now: datetime) -> int:
    """Write down what is to be pushed of hours that are over; answers how many events. Raises `StripeAccountMissing`.

    `now` is the machine's time; customers on test clocks have no place at a real meter and are left out.
    """
    customers = [one for one in invoiced_at_stripe(organization_id) if one.customer.test_clock_id is None]
    meters = StripeMeter.objects.filter(organization_id=organization_id).order_by("id")
    if not customers or not meters:
        return 0
    stripe = stripe_of(organization_id)
    return sum(_push_meter(stripe, pk, customers, now) for pk in list(meters.values_list("pk", flat=True)))


def _push_meter(stripe: Stripe, pk: int, customers: list[PayingCustomer], now: datetime) -> int:
    with transaction.atomic():
        meter = StripeMeter.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
        if meter is None:
            return 0
        end = now.replace(minute=0, second=0, microsecond=0)
        start = max(meter.since, end - PUSHABLE)
        if start >= end:
            return 0
        period, made = Period(start, end), 0
        for first in range(0, len(customers), _AT_ONCE):
            made += _push_customers(stripe, meter, customers[first : first + _AT_ONCE], period, now)
        return made


def _push_customers(
    stripe: Stripe, meter: StripeMeter, customers: list[PayingCustomer], period: Period, now: datetime
) -> int:
    known = pushed(meter, [one.customer_id for one in customers], period)
    counted, by_key, made = _hours(meter, customers, period), {one.customer.key: one for one in customers}, 0
    keys = {one.customer_id: one.customer.key for one in customers}
    for key, at in sorted(counted.keys() | {(keys[customer], at) for customer, at in known}):
        paying = by_key[key]
        so_far = known.get((paying.customer_id, at), Pushed(Decimal(0), -1))
        if more := counted.get((key, at), Decimal(0)) - so_far.quantity:
            _push(stripe, meter, paying, at, so_far.revision + 1, more, now)
            made += 1
    return made


def _hours(meter: StripeMeter, customers: list[PayingCustomer], period: Period) -> dict[tuple[str, datetime], Decimal]:
    """By the customer's key and the start of the hour."""
    question = UsageQuestion(
        organization_id=meter.organization_id,
        meter=meter.meter,
        period=period,
        window="hour",
        customers=tuple(one.customer.key for one in customers),
        by_customer=True,
    )
    return {(row.customer, row.start): row.quantity for row in usage(question) if row.customer is not None}


def _push(
    stripe: Stripe,
    meter: StripeMeter,
    paying: PayingCustomer,
    at: datetime,
    revision: int,
    quantity: Decimal,
    now: datetime,
) -> None:
    call_id = provider_call_id()
    request = stripe.usage_request(
        call_id=call_id,
        paying=paying,
        event_name=meter.event_name,
        quantity=quantity,
        at=int(at.timestamp()),
    )
    call = ProviderCall.objects.create(
        id=call_id,
        organization_id=meter.organization_id,
        kind=CallKind.USAGE,
        customer_id=paying.customer_id,
        idempotency_key=f"taximeter-{call_id}",
        request=request,
        created_at=now,
    )
    UsagePush.objects.create(
        stripe_meter=meter,
        customer_id=paying.customer_id,
        start=at,
        revision=revision,
        quantity=quantity,
        call=call,
    )
