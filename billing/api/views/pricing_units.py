from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.pricing_units import PricingUnitAnswer, PricingUnitChange, PricingUnitInput, present_pricing_unit
from billing.queries.catalogue import get_pricing_unit, pricing_units_of
from billing.services.pricing_units import create_pricing_unit, update_pricing_unit
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class PricingUnitsView(APIView):
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
