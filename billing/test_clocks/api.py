"""API of test clocks."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.test_clocks import answers, presenters
from billing.test_clocks.queries import get_test_clock, test_clocks_of
from billing.test_clocks.services import advance_test_clock, create_test_clock
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of
from rest.serializers import (
    InstantField,
    StrictSerializer,
)


class TestClockInput(StrictSerializer):
    now = InstantField()


class AdvanceInput(StrictSerializer):
    to = InstantField()


class TestClocksView(APIView):
    required_permission = {"POST": Permission.MOVE_MONEY}
    __test__ = False
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.TestClock), "POST": answers.TestClock}

    def get(self, request: Any) -> Response:
        return Response(page(test_clocks_of(request.auth.organization_id), request.query_params, presenters.test_clock))

    @extend_schema(request=TestClockInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = TestClockInput(data=request.data)
        body.is_valid(raise_exception=True)
        clock = create_test_clock(organization=request.auth.organization, now=body.validated_data["now"])
        return Response(presenters.test_clock(clock), status=201)


class TestClockView(APIView):
    __test__ = False
    answers = {"GET": answers.TestClock}

    def get(self, request: Any, test_clock: str) -> Response:
        found = get_test_clock(organization_id=request.auth.organization_id, test_clock=test_clock)
        return Response(presenters.test_clock(found))


class AdvanceView(APIView):
    """Moves a clock forward and issues every invoice that falls due on the way."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.AdvancedTestClock}

    @extend_schema(request=AdvanceInput)
    def post(self, request: Any, test_clock: str) -> Response:
        body = AdvanceInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_test_clock(organization_id=request.auth.organization_id, test_clock=test_clock)
        clock, issued = advance_test_clock(test_clock=found, to=body.validated_data["to"])
        return Response(presenters.test_clock(clock) | {"invoices": issued})
