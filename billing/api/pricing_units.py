"""How pricing units look in the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from billing.models import PricingUnit
from rest.serializers import CurrencyField, DecimalField, InstantField, KeyField, StrictSerializer

#: The finest price, 12 decimal places.
_LEAST = Decimal("0.000000000001")


class PricingUnitInput(StrictSerializer):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    currency = CurrencyField()
    rate = DecimalField(low=_LEAST)


class PricingUnitChange(StrictSerializer):
    name = serializers.CharField(max_length=200, required=False)
    rate = DecimalField(low=_LEAST, required=False)


class PricingUnitAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """One is worth `rate` of `currency`."""

    id = serializers.CharField()
    key = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    rate = DecimalField()
    created_at = InstantField()


def present_pricing_unit(one: PricingUnit) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("id", "key", "name", "currency", "rate", "created_at")}
