from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, present
from billing.api.serializers import MigrationInput, PlanInput, PlanVersionInput
from billing.domain.calculator import calculate_price
from billing.queries.catalogue import get_plan, plans_of
from billing.queries.moves import movable, preview_moves
from billing.services.catalogue import create_plan, create_plan_version
from billing.services.customers import require_plan
from billing.services.versions import migrate_plan, version_numbered
from kernel.clock import system_clock
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class PlansView(APIView):
    answers = {"GET": page_of(answers.Plan), "POST": answers.Plan}

    def get(self, request: Any) -> Response:
        return Response(page(plans_of(request.auth.organization_id), request.query_params, present.plan))

    @extend_schema(request=PlanInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = PlanInput(data=request.data)
        body.is_valid(raise_exception=True)
        plan = create_plan(organization=request.auth.organization, **body.validated_data)
        shown = get_plan(organization_id=request.auth.organization_id, plan=plan.pk)
        return Response(present.plan(shown), status=201)


class PlanView(APIView):
    answers = {"GET": answers.PlanWithVersions}

    def get(self, request: Any, plan: str) -> Response:
        found = get_plan(organization_id=request.auth.organization_id, plan=plan)
        versions = sorted(
            (one for one in found.versions.all() if one.customer_id is None), key=lambda version: version.number
        )
        return Response(present.plan(found) | {"versions": [present.plan_version(v) for v in versions]})


class PlanVersionsView(APIView):
    answers = {"POST": answers.Plan}

    @extend_schema(request=PlanVersionInput)
    @idempotent
    def post(self, request: Any, plan: str) -> Response:
        body = PlanVersionInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_plan(organization_id=request.auth.organization_id, plan=plan)
        create_plan_version(plan=found, **body.validated_data)
        shown = get_plan(organization_id=request.auth.organization_id, plan=found.pk)
        return Response(present.plan(shown), status=201)


class MigrationView(APIView):
    """Moves subscriptions to a version of their plan. With `preview` nothing moves: who would pay what is answered."""

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
            return Response(shown | {"moved": 0, "subscriptions": [present.move(one) for one in moves]})
        moved = migrate_plan(plan=found, to=to, when=fields["when"], now=now)
        return Response(shown | {"moved": moved, "subscriptions": []})


class CalculateView(APIView):
    """A price calculator: the arithmetic of an invoice line on any pricing model, storing nothing."""

    required_scope = "read"

    @extend_schema(request=dict)
    def post(self, request: Any) -> Response:
        return Response(calculate_price(request.data))
