from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.api import answers, present
from agents.api.serializers import CostRateInput
from agents.queries.rates import cost_rates_of
from agents.services.rates import create_cost_rate
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class CostRatesView(APIView):
    """What calls of models cost the vendor: the organization's own rates, and known prices that hold for everyone."""

    answers = {"GET": page_of(answers.CostRate), "POST": answers.CostRate}
    filters = ("provider", "model")

    def get(self, request: Any) -> Response:
        rates = cost_rates_of(request.auth.organization_id)
        for name in ("provider", "model"):
            if (value := request.query_params.get(name)) and "\x00" not in value:
                rates = rates.filter(**{name: value})
        return Response(page(rates, request.query_params, present.cost_rate))

    @extend_schema(request=CostRateInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = CostRateInput(data=request.data)
        body.is_valid(raise_exception=True)
        rate = create_cost_rate(
            organization_id=request.auth.organization_id, actor=str(request.auth), **body.validated_data
        )
        return Response(present.cost_rate(rate), status=201)
