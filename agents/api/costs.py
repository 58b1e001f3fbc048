from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.api import answers, present
from agents.api.parameters import customer_key, text_parameter
from agents.api.serializers import CostRateInput
from agents.queries.costs import CostQuestion, CostQuestionInvalid, costs
from agents.queries.rates import cost_rates_of
from agents.services.rates import create_cost_rate
from rest.access import Permission
from rest.idempotency import idempotent
from rest.lookup import instant_parameter
from rest.pagination import page
from rest.schema import page_of


class CostsView(APIView):
    """What calls of models cost over a period, by the rates in force in each hour; seconds behind the log at most."""

    answers = {"GET": answers.CostReport}
    filters = ("from", "to", "group_by", "window", "customer", "agent")

    def get(self, request: Any) -> Response:
        question = _question(request.auth.organization_id, request.query_params)
        data = [present.cost_row(row) for row in costs(question)]
        return Response({"from": question.start, "to": question.end, "data": data})


def _question(organization_id: int, asked: Any) -> CostQuestion:
    start, end = instant_parameter(asked, "from"), instant_parameter(asked, "to")
    if start is None or end is None:
        raise CostQuestionInvalid("Say from and to, full hours of UTC such as 2026-10-01T00:00:00Z")
    window = asked.get("window") or "total"
    if window not in {"total", "day"}:
        raise CostQuestionInvalid("window is total or day (of UTC)")
    return CostQuestion(
        organization_id=organization_id,
        start=start,
        end=end,
        group_by=tuple(dict.fromkeys(name for name in (asked.get("group_by") or "").split(",") if name)),
        by_day=window == "day",
        customer=customer_key(organization_id, text_parameter(asked, "customer")),
        agent=text_parameter(asked, "agent"),
    )


class CostRatesView(APIView):
    """What calls of models cost the vendor: the organization's own rates, and known prices that hold for everyone."""

    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
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
