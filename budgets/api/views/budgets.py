from __future__ import annotations

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.api import answers, present
from budgets.api.inputs import BudgetChange, BudgetInput
from budgets.models import Scope
from budgets.queries.budgets import budgets_of, crossings_of, get_budget
from budgets.services.budgets import create_budget, remove_budget, update_budget
from kernel.clock import system_clock
from kernel.errors import InvalidError
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class BudgetsView(APIView):
    required_permission = {"POST": Permission.SET_BUDGETS}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.BudgetAnswer), "POST": answers.BudgetAnswer}
    filters = ("scope", "customer", "agent", "plan")

    def get(self, request: Any) -> Response:
        asked = request.query_params
        if (scope := asked.get("scope")) and scope not in Scope.values:
            raise InvalidError(f"scope is one of {', '.join(Scope.values)}", code="scope_invalid")
        rows = budgets_of(request.auth.organization_id, **{name: asked.get(name) or None for name in self.filters})
        return Response(page(rows, asked, partial(present.budget, now=system_clock())))

    @extend_schema(request=BudgetInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = BudgetInput(data=request.data)
        body.is_valid(raise_exception=True)
        made = create_budget(organization=request.auth.organization, **body.validated_data)
        return Response(_shown(request, made.pk), status=201)


class BudgetView(APIView):
    required_permission = {"PATCH": Permission.SET_BUDGETS, "DELETE": Permission.SET_BUDGETS}
    answers = {"GET": answers.BudgetAnswer, "PATCH": answers.BudgetAnswer}

    def get(self, request: Any, budget: str) -> Response:
        return Response(_shown(request, budget))

    @extend_schema(request=BudgetChange)
    def patch(self, request: Any, budget: str) -> Response:
        """Changes what it is called, its amount or its thresholds. What it measures never changes."""
        body = BudgetChange(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_budget(organization_id=request.auth.organization_id, budget=budget)
        update_budget(budget=found, **body.validated_data)
        return Response(_shown(request, found.pk))

    def delete(self, request: Any, budget: str) -> Response:
        """Ends it: it alerts and stops nothing any more, and its key is free."""
        found = get_budget(organization_id=request.auth.organization_id, budget=budget)
        remove_budget(budget=found, now=system_clock())
        return Response(status=204)


class CrossingsView(APIView):
    """Every threshold that was reached, the newest first."""

    answers = {"GET": page_of(answers.CrossingAnswer)}

    def get(self, request: Any, budget: str) -> Response:
        found = get_budget(organization_id=request.auth.organization_id, budget=budget)
        return Response(page(crossings_of(found), request.query_params, present.crossing, newest_first=True))


def _shown(request: Any, budget: str) -> dict[str, Any]:
    found = get_budget(organization_id=request.auth.organization_id, budget=budget)
    return present.budget(found, now=system_clock())
