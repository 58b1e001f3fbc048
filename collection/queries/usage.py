"""What is pushed to Stripe's meters, and for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Max, QuerySet, Sum

from collection.models import PayingCustomer, StripeMeter, UsagePush
from kernel.errors import NotFoundError
from kernel.period import Period


class StripeMeterMissing(NotFoundError):
    code = "stripe_meter_not_found"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was pushed of an hour, all revisions together; `revision` is the last one's."""

    quantity: Decimal
    revision: int


def stripe_meters_of(organization_id: int) -> QuerySet[StripeMeter]:
    return StripeMeter.objects.filter(organization_id=organization_id).order_by("id")


def get_stripe_meter(*, organization_id: int, meter: str) -> StripeMeter:
    """The mapping of our meter with this key. Raises `StripeMeterMissing`."""
    found = stripe_meters_of(organization_id).filter(meter=meter).first() if "\x00" not in meter else None
    if found is None:
        raise StripeMeterMissing(f"The meter {meter!r} feeds none at Stripe")
    return found


def invoiced_at_stripe(organization_id: int) -> list[PayingCustomer]:
    """Customers whom Stripe invoices, and knows."""
    rows = PayingCustomer.objects.filter(organization_id=organization_id, is_invoiced_at_stripe=True)
    return list(rows.exclude(stripe_customer="").select_related("customer").order_by("customer_id"))


def pushed(
    stripe_meter: StripeMeter, customers: Iterable[str], period: Period
) -> Mapping[tuple[str, datetime], Pushed]:
    """By customer id and the start of the hour."""
    rows = UsagePush.objects.filter(
        stripe_meter=stripe_meter, customer__in=list(customers), start__gte=period.start, start__lt=period.end
    )
    sums = rows.order_by().values_list("customer_id", "start").annotate(sum=Sum("quantity"), last=Max("revision"))
    return {(customer, start): Pushed(quantity, last) for customer, start, quantity, last in sums}
