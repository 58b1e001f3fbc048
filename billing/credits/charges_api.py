"""API of one-off charges."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.credits.charges import create_charge, delete_charge, invoice_charge
from billing.credits.queries import charges_of, get_charge
from billing.customers.queries import get_customer
from billing.documents.typesetting import unprintable
from billing.models import OneOffCharge
from billing.rating.pricing.exact import multiply
from billing.test_clocks.queries import clock_of
from kernel.errors import InvalidError
from kernel.money import round_to_currency
from rest.access import Permission
from rest.idempotency import clicked_once, idempotent
from rest.pagination import page
from rest.schema import page_of
from rest.serializers import DecimalField, InstantField, StrictSerializer


class ChargeInput(StrictSerializer):
    """Either an `amount`, or a `quantity` of something at a `unit_amount`."""

    many_lines = ("description",)

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


class ChargeAnswer(serializers.Serializer[Any]):
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
    unprintable = serializers.ListField(child=serializers.CharField())


def present_charge(one: OneOffCharge) -> dict[str, Any]:
    names = "id description currency quantity unit_amount tax_rate period_start period_end created_at"
    amount = round_to_currency(multiply(one.quantity, one.unit_amount), one.currency)
    return {name: getattr(one, name) for name in names.split()} | {
        "customer": one.customer.key,
        "status": "waiting" if one.line_id is None else "billed",
        "amount": format(amount, "f"),
        "invoice": one.line.invoice_id if one.line else None,
        "line": one.line_id,
        "unprintable": unprintable(one.description),
    }


class ChargesView(APIView):
    """Charges made by hand. `when: now` makes an invoice of its own at once; else the charge waits for the next one."""

    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(ChargeAnswer), "POST": ChargeAnswer}
    filters = ("customer", "status")

    def get(self, request: Any) -> Response:
        rows = charges_of(request.auth.organization_id)
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer=get_customer(organization_id=request.auth.organization_id, customer=customer))
        if status := request.query_params.get("status"):
            if status not in {"waiting", "billed"}:
                raise InvalidError("status is waiting or billed", code="status_invalid")
            rows = rows.filter(line__isnull=status == "waiting")
        return Response(page(rows, request.query_params, present_charge))

    @extend_schema(request=ChargeInput)
    @clicked_once
    @idempotent
    def post(self, request: Any) -> Response:
        body = ChargeInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id, fields = request.auth.organization_id, dict(body.validated_data)
        customer = get_customer(organization_id=organization_id, customer=fields.pop("customer"))
        when, now = fields.pop("when"), clock_of(customer)()
        with transaction.atomic():
            charge = create_charge(customer=customer, now=now, **fields)
            if when == "now":
                invoice_charge(charge=charge, now=now)
        return Response(present_charge(get_charge(organization_id=organization_id, charge=charge.pk)), status=201)


class ChargeView(APIView):
    required_permission = {"DELETE": Permission.MOVE_MONEY}
    answers = {"GET": ChargeAnswer}

    def get(self, request: Any, charge: str) -> Response:
        return Response(present_charge(get_charge(organization_id=request.auth.organization_id, charge=charge)))

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Any, charge: str) -> Response:
        """Takes back a charge that still waits."""
        delete_charge(charge=get_charge(organization_id=request.auth.organization_id, charge=charge))
        return Response(status=204)
