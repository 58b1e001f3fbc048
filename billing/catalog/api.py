"""API of plans, plan versions and pricing units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.catalog import answers, presenters
from billing.catalog.migrating import movable, preview_moves
from billing.catalog.queries import get_plan, get_pricing_unit, plans_of, pricing_units_of, require_plan
from billing.catalog.services import create_plan, create_plan_version, create_pricing_unit, update_pricing_unit
from billing.models import PricingUnit
from billing.rating.calculator import calculate_price
from billing.subscriptions.versions import migrate_plan, version_numbered
from kernel.clock import system_clock
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of
from rest.serializers import (
    AnyField,
    CurrencyField,
    DecimalField,
    InstantField,
    KeyField,
    StrictSerializer,
)


class PriceInput(StrictSerializer):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    kind = serializers.CharField()
    meter = serializers.CharField(required=False, allow_null=True)
    filter = serializers.DictField(required=False, allow_null=True)
    bill = serializers.ChoiceField(choices=["in_advance", "in_arrears"], required=False)
    prorate = serializers.BooleanField(required=False)
    included = AnyField(required=False, allow_null=True)
    minimum = AnyField(required=False, allow_null=True)
    maximum = AnyField(required=False, allow_null=True)
    pricing_unit = serializers.CharField(required=False, allow_null=True)
    tax_rate = DecimalField(required=False, allow_null=True, low=Decimal(0), high=Decimal(1))
    model = AnyField()


class MigrationInput(StrictSerializer):
    to_version = serializers.IntegerField(min_value=1, required=False)
    when = serializers.ChoiceField(choices=["now", "period_end"], default="period_end")
    preview = serializers.BooleanField(default=False)


class PlanVersionInput(StrictSerializer):
    currency = CurrencyField(required=False)
    minimum_commitment = DecimalField(required=False, low=Decimal(0))
    invoice_threshold = DecimalField(required=False, allow_null=True, low=Decimal("0.01"))
    settlement_hours = serializers.IntegerField(min_value=0, max_value=87_600, required=False)
    prices = serializers.ListField(child=PriceInput(), allow_empty=False)


class PlanInput(StrictSerializer):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    currency = CurrencyField()
    interval = serializers.ChoiceField(choices=["day", "week", "month", "quarter", "year"], default="month")
    interval_count = serializers.IntegerField(min_value=1, max_value=100, default=1)
    trial_days = serializers.IntegerField(min_value=0, max_value=3650, default=0)
    trial_once_per_customer = serializers.BooleanField(default=False)
    add_on = serializers.BooleanField(default=False)
    minimum_commitment = DecimalField(required=False, low=Decimal(0))
    invoice_threshold = DecimalField(required=False, allow_null=True, low=Decimal("0.01"))
    settlement_hours = serializers.IntegerField(min_value=0, max_value=87_600, required=False)
    prices = serializers.ListField(child=PriceInput(), allow_empty=False)


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


class PricingUnitAnswer(serializers.Serializer[Any]):
    """One is worth `rate` of `currency`."""

    id = serializers.CharField()
    key = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    rate = DecimalField()
    created_at = InstantField()


def present_pricing_unit(one: PricingUnit) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("id", "key", "name", "currency", "rate", "created_at")}


class PlansView(APIView):
    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.Plan), "POST": answers.Plan}

    def get(self, request: Any) -> Response:
        return Response(page(plans_of(request.auth.organization_id), request.query_params, presenters.plan))

    @extend_schema(request=PlanInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = PlanInput(data=request.data)
        body.is_valid(raise_exception=True)
        plan = create_plan(organization=request.auth.organization, **body.validated_data)
        shown = get_plan(organization_id=request.auth.organization_id, plan=plan.pk)
        return Response(presenters.plan(shown), status=201)


class PlanView(APIView):
    answers = {"GET": answers.PlanWithVersions}

    def get(self, request: Any, plan: str) -> Response:
        found = get_plan(organization_id=request.auth.organization_id, plan=plan)
        versions = sorted(
            (one for one in found.versions.all() if one.customer_id is None), key=lambda version: version.number
        )
        return Response(presenters.plan(found) | {"versions": [presenters.plan_version(v) for v in versions]})


class PlanVersionsView(APIView):
    required_permission = Permission.MOVE_MONEY
    statuses = {"POST": 201}
    answers = {"POST": answers.Plan}

    @extend_schema(request=PlanVersionInput)
    @idempotent
    def post(self, request: Any, plan: str) -> Response:
        body = PlanVersionInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_plan(organization_id=request.auth.organization_id, plan=plan)
        create_plan_version(plan=found, **body.validated_data)
        shown = get_plan(organization_id=request.auth.organization_id, plan=found.pk)
        return Response(presenters.plan(shown), status=201)


class MigrationView(APIView):
    """Moves subscriptions to a version of their plan. With `preview` nothing moves: who would pay what is answered."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Migration}

    @extend_schema(request=MigrationInput)
    def post(self, request: Any, plan: str) -> Response:
        body = MigrationInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields, now = body.validated_data, system_clock()
        found = get_plan(organization_id=request.auth.organization_id, plan=plan)
        to = version_numbered(found, fields.get("to_version"))
        shown = {"to_version": to.number, "when": fields["when"], "preview": fields["preview"]}
        if fields["preview"]:
            moving = movable(found, to, now, fields["when"])
            for one in moving:
                require_plan(one.customer, to)
            moves = list(preview_moves(moving, to, now))
            return Response(shown | {"moved": 0, "subscriptions": [presenters.move(one) for one in moves]})
        moved = migrate_plan(plan=found, to=to, when=fields["when"], now=now)
        return Response(shown | {"moved": moved, "subscriptions": []})


class CalculateView(APIView):
    """A price calculator: the arithmetic of an invoice line on any pricing model, storing nothing."""

    required_permission = Permission.SEE

    @extend_schema(request=dict)
    def post(self, request: Any) -> Response:
        return Response(calculate_price(request.data))


class PricingUnitsView(APIView):
    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(PricingUnitAnswer), "POST": PricingUnitAnswer}

    def get(self, request: Any) -> Response:
        return Response(
            page(pricing_units_of(request.auth.organization_id), request.query_params, present_pricing_unit)
        )

    @extend_schema(request=PricingUnitInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = PricingUnitInput(data=request.data)
        body.is_valid(raise_exception=True)
        unit = create_pricing_unit(organization=request.auth.organization, **body.validated_data)
        return Response(present_pricing_unit(unit), status=201)


class PricingUnitView(APIView):
    required_permission = {"PATCH": Permission.MOVE_MONEY}
    answers = {"GET": PricingUnitAnswer, "PATCH": PricingUnitAnswer}

    def get(self, request: Any, unit: str) -> Response:
        return Response(present_pricing_unit(get_pricing_unit(organization_id=request.auth.organization_id, unit=unit)))

    @extend_schema(request=PricingUnitChange)
    def patch(self, request: Any, unit: str) -> Response:
        """Another name, or another rate for prices made from now on."""
        body = PricingUnitChange(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_pricing_unit(organization_id=request.auth.organization_id, unit=unit)
        return Response(present_pricing_unit(update_pricing_unit(unit=found, **body.validated_data)))
