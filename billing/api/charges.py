"""How one-off charges look in the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from billing.domain.pricing.exact import multiply
from billing.models import OneOffCharge
from kernel.money import round_to_currency
from rest.serializers import DecimalField, InstantField, StrictSerializer


class ChargeInput(StrictSerializer):
    """Either an `amount`, or a `quantity` of something at a `unit_amount`."""

    customer = serializers.CharField()
    description = serializers.CharField(max_length=1000)
    amount = DecimalField(required=False)
    quantity = DecimalField(required=False)
    unit_amount = DecimalField(required=False)
    tax_rate = DecimalField(required=False, allow_null=True, low=Decimal(0), high=Decimal(1))
    period_start = InstantField(required=False)
    period_end = InstantField(required=False)
    when = serializers.ChoiceField(choices=["now", "next_invoice"], default="next_invoice")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("amount" in attrs) == ("unit_amount" in attrs):
            raise serializers.ValidationError({"amount": "Say either amount, or quantity and unit_amount"})
        if "amount" in attrs:
            if "quantity" in attrs:
                raise serializers.ValidationError({"quantity": "An amount is for the whole"})
            attrs["unit_amount"] = attrs.pop("amount")
        return attrs


class ChargeAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """`status` is `waiting` or `billed`; then `invoice` and `line` say where."""

    id = serializers.CharField()
    customer = serializers.CharField()
    description = serializers.CharField()
    status = serializers.CharField()
    currency = serializers.CharField()
    quantity = DecimalField()
    unit_amount = DecimalField()
    amount = DecimalField()
    tax_rate = DecimalField(allow_null=True)
    period_start = InstantField()
    period_end = InstantField()
    invoice = serializers.CharField(allow_null=True)
    line = serializers.CharField(allow_null=True)
    created_at = InstantField()


def present_charge(one: OneOffCharge) -> dict[str, Any]:
    names = "id description currency quantity unit_amount tax_rate period_start period_end created_at"
    amount = round_to_currency(multiply(one.quantity, one.unit_amount), one.currency)
    return {name: getattr(one, name) for name in names.split()} | {
        "customer": one.customer.key,
        "status": "waiting" if one.line_id is None else "billed",
        "amount": format(amount, "f"),
        "invoice": one.line.invoice_id if one.line else None,
        "line": one.line_id,
    }
