"""Whether Stripe's meters count what was pushed to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet, Sum

from collection.domain.comparing import Difference
from collection.models import PayingCustomer, StripeAccount, StripeMeter, UsagePush
from collection.models.calls import OPEN_STATES
from collection.providers.stripe_objects import StripeObjects

#: Stripe adds up events some time after it took them.
_ADDED_UP_AFTER = timedelta(hours=6)

#: Stripe answers its sums as floats: 15 digits are sure.
_SURE_DIGITS = Decimal("1e-12")


def usage_differences(*, account: StripeAccount, since: datetime, now: datetime) -> tuple[int, list[Difference]]:
    """How many sums were compared, and which differ: a customer's usage of a meter over whole days (UTC) since then.

    Raises `TryAgain`.
    """
    meters = list(StripeMeter.objects.filter(organization_id=account.organization_id).order_by("id"))
    if not meters:
        return 0, []
    objects = StripeObjects(account)
    known, compared, found = objects.meters(), 0, []
    end = (now - _ADDED_UP_AFTER).replace(hour=0, minute=0, second=0, microsecond=0)
    for meter in meters:
        start = max(since, meter.since).replace(hour=0, minute=0, second=0, microsecond=0)
        pushes = UsagePush.objects.filter(stripe_meter=meter, start__gte=start, start__lt=end)
        if meter.event_name not in known:
            if pushes.exists():
                said = "Stripe has no active meter of this event name: what is pushed counts nowhere"
                found.append(Difference("meter_missing_there", meter.event_name, meter.meter, "", start, None, said))
            continue
        for customer, ours in _sums(pushes):
            theirs = objects.metered(known[meter.event_name], customer, start, end)
            compared += 1
            if abs(ours - theirs) > abs(ours) * _SURE_DIGITS:
                subject = f"{meter.event_name}:{customer}"
                said = f"Usage from {start:%Y-%m-%d} to {end:%Y-%m-%d}"
                words = _plain(ours), _plain(theirs)
                found.append(Difference("usage_differs", subject, *words, start, None, said))
    return compared, found


def _sums(pushes: QuerySet[UsagePush]) -> list[tuple[str, Decimal]]:
    """By Stripe's customer, of those of whom nothing is under way."""
    waiting = pushes.filter(call__state__in=OPEN_STATES).values("customer")
    sums = pushes.exclude(customer__in=waiting).order_by().values_list("customer").annotate(sum=Sum("quantity"))
    at_stripe = dict(
        PayingCustomer.objects.filter(customer__in=[customer for customer, _ in sums])
        .exclude(stripe_customer="")
        .values_list("customer", "stripe_customer")
    )
    return [(at_stripe[customer], quantity) for customer, quantity in sums if customer in at_stripe]


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
