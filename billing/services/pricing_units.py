"""The named credits that prices may be in."""

from __future__ import annotations

from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.facade import Organization
from billing.errors import KeyTaken
from billing.models import PricingUnit


def create_pricing_unit(
    *, organization: Organization, key: str, currency: str, rate: Decimal, name: str = ""
) -> PricingUnit:
    """A unit worth `rate` of `currency`, more than nothing. Raises `KeyTaken`."""
    try:
        with transaction.atomic():
            return PricingUnit.objects.create(
                organization=organization, key=key, name=name or key, currency=currency, rate=rate
            )
    except IntegrityError:
        raise KeyTaken(f"There is a pricing unit {key!r} already") from None


def update_pricing_unit(*, unit: PricingUnit, name: str | None = None, rate: Decimal | None = None) -> PricingUnit:
    """Another name, or another rate for the prices made from now on: those there are keep theirs."""
    unit.name, unit.rate = name or unit.name, rate or unit.rate
    unit.save(update_fields=["name", "rate"])
    return unit
