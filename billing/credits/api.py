"""API of credit grants and balances."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.catalog.queries import get_pricing_unit
from billing.credits.grants import grant_credit, void_grant
from billing.credits.queries import Holding, StatementRow, get_grant, grants_of, holdings, movements_of, with_balances
from billing.customers.presenters import money
from billing.customers.queries import get_customer
from billing.models import CreditGrant
from billing.test_clocks.queries import clock_of
from metering.facade import get_meter_version
from rest.access import Permission
from rest.idempotency import clicked_once, idempotent
from rest.pagination import page
from rest.renderers import plain_decimal
from rest.schema import page_of
from rest.serializers import CurrencyField, DecimalField, InstantField, Shape, StrictSerializer


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
    source = serializers.ChoiceField(choices=["promotion", "purchase"], required=False)  # type: ignore[assignment]


class CreditGrantAnswer(Shape):
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


class HeldGrant(serializers.Serializer[Any]):
    grant = serializers.CharField()
    name = serializers.CharField()
    balance = DecimalField()
    priority = serializers.IntegerField()
    effective_at = InstantField()
    expires_at = InstantField(allow_null=True)


class CreditBalance(serializers.Serializer[Any]):
    """What there is of one thing; `grants` in the order in which they are drawn."""

    currency = serializers.CharField(allow_null=True)
    pricing_unit = serializers.CharField(allow_null=True)
    meter = serializers.CharField(allow_null=True)
    available = DecimalField()
    pending = DecimalField()
    grants = HeldGrant(many=True)


class CreditBalances(Shape):
    customer = serializers.CharField()
    at = InstantField()
    data = CreditBalance(many=True)


class CreditMovementAnswer(serializers.Serializer[Any]):
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


class CreditGrantsView(APIView):
    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(CreditGrantAnswer), "POST": CreditGrantAnswer}
    filters = ("customer",)

    def get(self, request: Any) -> Response:
        rows = grants_of(request.auth.organization_id)
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer=get_customer(organization_id=request.auth.organization_id, customer=customer))
        return Response(page(rows, request.query_params, present_grant))

    @extend_schema(request=CreditGrantInput)
    @clicked_once
    @idempotent
    def post(self, request: Any) -> Response:
        body = CreditGrantInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id, fields = request.auth.organization_id, dict(body.validated_data)
        customer = get_customer(organization_id=organization_id, customer=fields.pop("customer"))
        if "pricing_unit" in fields:
            fields["pricing_unit"] = get_pricing_unit(organization_id=organization_id, unit=fields["pricing_unit"])
        if "meter" in fields:
            fields["meter"] = get_meter_version(organization_id=organization_id, meter=fields["meter"]).meter
        grant = grant_credit(customer=customer, now=clock_of(customer)(), **fields)
        return Response(present_grant(grant), status=201)


class CreditGrantView(APIView):
    answers = {"GET": CreditGrantAnswer}

    def get(self, request: Any, grant: str) -> Response:
        return Response(present_grant(get_grant(organization_id=request.auth.organization_id, grant=grant)))


class VoidCreditGrantView(APIView):
    """Takes back what is left of a grant."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": CreditGrantAnswer}

    @extend_schema(request=None)
    def post(self, request: Any, grant: str) -> Response:
        found = get_grant(organization_id=request.auth.organization_id, grant=grant)
        void_grant(grant=found, now=clock_of(found.customer)())
        return Response(present_grant(get_grant(organization_id=request.auth.organization_id, grant=found.pk)))


class CreditBalanceView(APIView):
    """What a customer has in advance, by what it is of, with what expires when."""

    answers = {"GET": CreditBalances}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        now = clock_of(found)()
        return Response(present_holdings(found.key, now, holdings(customer=found, now=now)))


class CreditMovementsView(APIView):
    """The statement of a customer's credit: every movement, what it paid for, and the balance after it."""

    answers = {"GET": page_of(CreditMovementAnswer)}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        answer = page(movements_of(found), request.query_params, lambda movement: movement)
        rows = with_balances(found, answer["data"])
        return Response(answer | {"data": [present_movement(row) for row in rows]})
