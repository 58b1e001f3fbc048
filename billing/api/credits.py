"""How credit grants, balances and movements look in the API."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from billing.api.present import money
from billing.models import CreditGrant
from billing.queries.credits import Holding, StatementRow
from rest.renderers import plain_decimal
from rest.serializers import CurrencyField, DecimalField, InstantField, StrictSerializer


class CreditGrantInput(StrictSerializer):
    customer = serializers.CharField()
    name = serializers.CharField(max_length=200)
    amount = DecimalField()
    currency = CurrencyField(required=False)
    pricing_unit = serializers.CharField(required=False)
    meter = serializers.CharField(required=False)
    priority = serializers.IntegerField(min_value=0, max_value=1000, required=False)
    effective_at = InstantField(required=False)
    expires_at = InstantField(required=False, allow_null=True)
    rollover_limit = DecimalField(required=False, allow_null=True, low=Decimal(0))
    rollover_days = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=36_500)
    source = serializers.ChoiceField(choices=["promotion", "purchase"], required=False)


class CreditGrantAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """Money in `currency`, or units of `pricing_unit` or of what `meter` counts: one of the three is not null."""

    id = serializers.CharField()
    customer = serializers.CharField()
    name = serializers.CharField()
    source = serializers.CharField()
    currency = serializers.CharField(allow_null=True)
    pricing_unit = serializers.CharField(allow_null=True)
    meter = serializers.CharField(allow_null=True)
    amount = DecimalField()
    balance = DecimalField()
    priority = serializers.IntegerField()
    effective_at = InstantField()
    expires_at = InstantField(allow_null=True)
    rollover_limit = DecimalField(allow_null=True)
    rollover_days = serializers.IntegerField(allow_null=True)
    voided_at = InstantField(allow_null=True)
    created_at = InstantField()


class HeldGrant(serializers.Serializer):  # type: ignore[type-arg]
    grant = serializers.CharField()
    name = serializers.CharField()
    balance = DecimalField()
    priority = serializers.IntegerField()
    effective_at = InstantField()
    expires_at = InstantField(allow_null=True)


class CreditBalance(serializers.Serializer):  # type: ignore[type-arg]
    """What there is of one thing; `grants` in the order in which they are drawn."""

    currency = serializers.CharField(allow_null=True)
    pricing_unit = serializers.CharField(allow_null=True)
    meter = serializers.CharField(allow_null=True)
    available = DecimalField()
    pending = DecimalField()
    grants = HeldGrant(many=True)


class CreditBalances(serializers.Serializer):  # type: ignore[type-arg]
    customer = serializers.CharField()
    at = InstantField()
    data = CreditBalance(many=True)


class CreditMovementAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """`balance` is what the customer had of this kind afterwards; `invoice` and `line` are what it paid for."""

    id = serializers.IntegerField()
    occurred_at = InstantField()
    kind = serializers.CharField()
    grant = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField(allow_null=True)
    pricing_unit = serializers.CharField(allow_null=True)
    meter = serializers.CharField(allow_null=True)
    amount = DecimalField()
    balance = DecimalField()
    invoice = serializers.CharField(allow_null=True)
    invoice_number = serializers.CharField(allow_null=True)
    line = serializers.CharField(allow_null=True)
    description = serializers.CharField()


def _of(grant: CreditGrant) -> dict[str, str | None]:
    return {
        "currency": grant.currency or None,
        "pricing_unit": grant.pricing_unit.key if grant.pricing_unit else None,
        "meter": grant.meter.key if grant.meter else None,
    }


def _shown(amount: Any, grant: CreditGrant) -> str:
    return money(amount, grant.currency) if grant.currency else plain_decimal(amount)


def present_grant(one: CreditGrant) -> dict[str, Any]:
    names = "id name source priority effective_at expires_at rollover_limit rollover_days voided_at created_at"
    return (
        {name: getattr(one, name) for name in names.split()}
        | _of(one)
        | {
            "customer": one.customer.key,
            "amount": _shown(one.amount, one),
            "balance": _shown(one.balance, one),
        }
    )


def present_holdings(customer: str, now: datetime, found: list[Holding]) -> dict[str, Any]:
    return {"customer": customer, "at": now, "data": [_holding(one) for one in found]}


def _holding(one: Holding) -> dict[str, Any]:
    first = one.grants[0]
    grants = [
        {
            "grant": grant.pk,
            "name": grant.name,
            "balance": _shown(grant.balance, grant),
            "priority": grant.priority,
            "effective_at": grant.effective_at,
            "expires_at": grant.expires_at,
        }
        for grant in one.grants
    ]
    return _of(first) | {
        "available": _shown(one.available, first),
        "pending": _shown(one.pending, first),
        "grants": grants,
    }


def present_movement(row: StatementRow) -> dict[str, Any]:
    one, grant = row.movement, row.movement.grant
    return _of(grant) | {
        "id": one.pk,
        "occurred_at": one.occurred_at,
        "kind": one.kind,
        "grant": grant.pk,
        "name": grant.name,
        "amount": _shown(one.amount, grant),
        "balance": _shown(row.balance, grant),
        "invoice": one.invoice_id,
        "invoice_number": one.invoice.number if one.invoice else None,
        "line": one.line_id,
        "description": one.line.description if one.line else "",
    }
