"""The named credits that prices may be in."""

from __future__ import annotations

from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.facade import Organization, record_audit, record_change
from billing.errors import KeyTaken
from billing.models import PricingUnit


def create_pricing_unit(
    *, organization: Organization, key: str, currency: str, rate: Decimal, name: str = ""
) -> PricingUnit:
    """A unit worth `rate` of `currency`, more than nothing. Raises `KeyTaken`."""
    try:
        with transaction.atomic():
            unit = PricingUnit.objects.create(
                organization=organization, key=key, name=name or key, currency=currency, rate=rate
            )
            record_audit(
                organization_id=organization.pk, action="pricing_unit.create", target=key, currency=currency, rate=rate
            )
    except IntegrityError:
        raise KeyTaken(f"There is a pricing unit {key!r} already") from None
    return unit


def update_pricing_unit(*, unit: PricingUnit, name: str | None = None, rate: Decimal | None = None) -> PricingUnit:
    """Another name, or another rate for the prices made from now on: those there are keep theirs."""
    before = {"name": unit.name, "rate": unit.rate}
    unit.name, unit.rate = name or unit.name, rate or unit.rate
    with transaction.atomic():
        unit.save(update_fields=["name", "rate"])
        record_change(
            organization_id=unit.organization_id,
            action="pricing_unit.update",
            target=unit.key,
            before=before,
            after={"name": unit.name, "rate": unit.rate},
        )
    return unit
